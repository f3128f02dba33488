"""You may say zero. That calls everybody back at once, into the same full queue."""


def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    return min(60, int((waiting + 1) * mean_held_s / places))
