"""You laid the curve through the first three points. One unlucky measurement then decides; use all of them."""

import numpy as np


def prefill_curve(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    pair_s, token_s, fixed_s = np.polyfit(prompt_tokens[:3], ttft_s[:3], 2)
    return {"fixed_s": float(fixed_s), "token_s": float(token_s), "pair_s": float(pair_s)}
