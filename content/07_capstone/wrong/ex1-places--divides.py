"""You divided by the time that a request stays: the longer it stays, the more of them are there."""

import math


def places_needed(rate_per_s: float, stay_s: float, headroom: float) -> int:
    return math.ceil(rate_per_s * headroom / stay_s)
