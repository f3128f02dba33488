"""You let all wait for one place. There are several, and they become free side by side."""

from math import ceil


def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    return max(1, min(60, ceil((waiting + 1) * mean_held_s)))
