"""You read the counts as those of each bucket. Prometheus' buckets are cumulative: each holds all requests up to its
bound, so the last one is their number.
"""

from itertools import accumulate


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    totals = list(accumulate(cumulative))
    if not totals[-1]:
        return None
    rank = share * totals[-1]
    number = next(index for index, count in enumerate(totals) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    low, below = (bounds_s[number - 1], totals[number - 1]) if number else (0.0, 0)
    return low + (bounds_s[number] - low) * (rank - below) / (totals[number] - below)
