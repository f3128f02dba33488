"""You subtracted the smallest sample from the largest. What was counted after a restart is lost, and what lay below
the first sample is counted.
"""


def increase(samples: list[float]) -> float:
    return max(samples) - min(samples)
