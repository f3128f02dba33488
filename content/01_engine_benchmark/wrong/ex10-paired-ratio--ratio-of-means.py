"""You divided the means. Then the pairs are torn apart: a slow minute that hit both sides weighs in both means by
another amount, and the gain you see is partly the weather.
"""

import numpy as np


def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, float | bool]:
    before, after = np.array(baseline), np.array(candidate)
    ratios = [after[rows].mean() / before[rows].mean() for rows in resamples]
    low, high = (float(value) for value in np.percentile(ratios, [2.5, 97.5]))
    return {"ratio": float(after.mean() / before.mean()), "low": low, "high": high, "shown": not low <= 1 <= high}
