"""Your rule is right where something was counted. A histogram that has just started has no percentile: None."""


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    if not cumulative[-1]:
        return 0.0
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    low, below = (bounds_s[number - 1], cumulative[number - 1]) if number else (0.0, 0)
    return low + (bounds_s[number] - low) * (rank - below) / (cumulative[number] - below)
