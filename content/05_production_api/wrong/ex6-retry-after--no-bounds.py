"""You set no upper bound. An estimate of many minutes is worth nothing: places may be free long before."""

from math import ceil


def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    return max(1, ceil((waiting + 1) * mean_held_s / places))
