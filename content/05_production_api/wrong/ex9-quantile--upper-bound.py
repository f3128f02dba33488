"""You returned the bucket's upper bound. Its requests lie between its two bounds; go part of the way."""


def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    if not cumulative[-1]:
        return None
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    return bounds_s[number]
