"""You took the smallest and the largest resample as the interval. It then grows with the number of resamples; a 95
% interval leaves out 2.5 % on each side.
"""

import numpy as np


def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, float | bool]:
    logs = np.log(np.array(candidate) / np.array(baseline))
    means = [logs[rows].mean() for rows in resamples]
    low, high = float(np.exp(min(means))), float(np.exp(max(means)))
    return {"ratio": float(np.exp(logs.mean())), "low": low, "high": high, "shown": not low <= 1 <= high}
