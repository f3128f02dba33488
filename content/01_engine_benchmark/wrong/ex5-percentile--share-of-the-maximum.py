"""You took that share of the largest value. A percentile is a place among the sorted values, not a part of the
range.
"""


def percentile(values: list[float], percent: float) -> float:
    return max(values) * percent / 100
