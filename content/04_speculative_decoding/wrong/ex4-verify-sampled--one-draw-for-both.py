"""You use the first draw for both decisions. It has already decided that the token was rejected, so it is no longer
even: part of the residual is out of its reach.
"""

import numpy as np


def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    counts = [0] * len(target)
    for number, first, _ in trials:
        token = int(number)
        if first < min(1.0, target[token] / proposal[token]):
            counts[token] += 1
            continue
        missing = np.maximum(0.0, np.array(target) - np.array(proposal))
        counts[int(np.searchsorted(np.cumsum(missing / missing.sum()), first, side="right"))] += 1
    return counts
