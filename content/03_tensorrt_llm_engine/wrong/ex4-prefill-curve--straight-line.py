"""You fitted a straight line. Attention grows with the square of the prompt."""

import numpy as np


def prefill_curve(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    token_s, fixed_s = np.polyfit(prompt_tokens, ttft_s, 1)
    return {"fixed_s": float(fixed_s), "token_s": float(token_s), "pair_s": 0.0}
