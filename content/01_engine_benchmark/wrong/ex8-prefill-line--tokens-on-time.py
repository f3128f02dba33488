"""You fitted tokens against seconds. Then the scatter of the times bends the line the wrong way, and the value at
zero is in tokens.
"""

import numpy as np


def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    slope, intercept = np.polyfit(ttft_s, prompt_tokens, 1)
    return {"overhead_s": float(intercept), "tokens_per_s": float(slope)}
