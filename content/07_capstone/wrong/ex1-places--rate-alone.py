"""You took the rate alone: it matters how long each request stays."""

import math


def places_needed(rate_per_s: float, stay_s: float, headroom: float) -> int:
    return math.ceil(rate_per_s * headroom)
