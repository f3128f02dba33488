"""You waited for those before you, and not for a place of your own."""

from math import ceil


def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    return max(1, min(60, ceil(waiting * mean_held_s / places)))
