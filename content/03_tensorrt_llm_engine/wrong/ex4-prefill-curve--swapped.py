"""You took the coefficients in the wrong order. `np.polyfit` gives the highest power first."""

import numpy as np


def prefill_curve(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    fixed_s, token_s, pair_s = np.polyfit(prompt_tokens, ttft_s, 2)
    return {"fixed_s": float(fixed_s), "token_s": float(token_s), "pair_s": float(pair_s)}
