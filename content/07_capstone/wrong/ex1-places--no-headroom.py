"""You left the headroom out: the mean is exceeded about half of the time."""

import math


def places_needed(rate_per_s: float, stay_s: float, headroom: float) -> int:
    return math.ceil(rate_per_s * stay_s)
