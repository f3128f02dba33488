"""A rejected token is drawn again from the target's own distribution. Tokens that the draft offers often come out too
often, by a little: only counting shows it.
"""

import numpy as np


def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    counts = [0] * len(target)
    for number, first, second in trials:
        token = int(number)
        kept = first < min(1.0, target[token] / proposal[token])
        counts[token if kept else int(np.searchsorted(np.cumsum(target), second, side="right"))] += 1
    return counts
