"""You let the first bucket begin at its bound. It begins at zero."""


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    if not cumulative[-1]:
        return None
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    if not number:
        return bounds_s[0]
    low, below = bounds_s[number - 1], cumulative[number - 1]
    return low + (bounds_s[number] - low) * (rank - below) / (cumulative[number] - below)
