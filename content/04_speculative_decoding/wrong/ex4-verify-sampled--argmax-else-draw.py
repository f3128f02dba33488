"""You keep a proposal only if it is the target's most likely token, and draw from the target otherwise. The favourite
then has two chances: it comes out too often.
"""

import numpy as np


def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    counts = [0] * len(target)
    for token, _, second in trials:
        best = target.index(max(target))
        drawn = int(np.searchsorted(np.cumsum(target), second, side="right"))
        counts[best if int(token) == best else drawn] += 1
    return counts
