"""You returned the middle of the bucket. The rank says how far into it the request lies."""


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    if not cumulative[-1]:
        return None
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    low = bounds_s[number - 1] if number else 0.0
    return (low + bounds_s[number]) / 2
