"""You call a difference shown only if it is a gain. A candidate whose whole interval lies below 1 is shown to be
slower.
"""

import numpy as np


def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, float | bool]:
    logs = np.log(np.array(candidate) / np.array(baseline))
    means = [logs[rows].mean() for rows in resamples]
    low, high = (float(np.exp(value)) for value in np.percentile(means, [2.5, 97.5]))
    return {"ratio": float(np.exp(logs.mean())), "low": low, "high": high, "shown": low > 1}
