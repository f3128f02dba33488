"""You gave up beyond the last bound. All that is known is that it is more than the bound; Prometheus returns the
bound.
"""


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    if not cumulative[-1]:
        return None
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return None
    low, below = (bounds_s[number - 1], cumulative[number - 1]) if number else (0.0, 0)
    return low + (bounds_s[number] - low) * (rank - below) / (cumulative[number] - below)
