"""You divided the baseline by the candidate. Above 1 must mean that the candidate's figure is the larger one."""

import numpy as np


def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, float | bool]:
    logs = np.log(np.array(baseline) / np.array(candidate))
    means = [logs[rows].mean() for rows in resamples]
    low, high = (float(np.exp(value)) for value in np.percentile(means, [2.5, 97.5]))
    return {"ratio": float(np.exp(logs.mean())), "low": low, "high": high, "shown": not low <= 1 <= high}
