"""You swapped the two results of the fit. `np.polyfit` gives the highest power first: the slope, then the value at
zero.
"""

import numpy as np


def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    intercept, slope = np.polyfit(prompt_tokens, ttft_s, 1)
    return {"overhead_s": float(intercept), "tokens_per_s": float(1 / slope)}
