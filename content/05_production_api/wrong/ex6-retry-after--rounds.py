"""You rounded. A client that comes back a little too early is refused again; round up."""


def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    return max(1, min(60, round((waiting + 1) * mean_held_s / places)))
