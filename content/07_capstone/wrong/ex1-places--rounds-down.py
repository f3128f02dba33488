"""You rounded down: the request that does not find a place waits for a whole answer."""


def places_needed(rate_per_s: float, stay_s: float, headroom: float) -> int:
    return max(1, int(rate_per_s * stay_s * headroom))
