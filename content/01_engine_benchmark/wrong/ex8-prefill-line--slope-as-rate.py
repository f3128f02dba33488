"""You returned the slope itself: seconds per token. The rate is its inverse."""

import numpy as np


def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    slope, intercept = np.polyfit(prompt_tokens, ttft_s, 1)
    return {"overhead_s": float(intercept), "tokens_per_s": float(slope)}
