"""You took the nearest rank. This definition exists, but two tools with different definitions do not agree on small
samples; this course interpolates, and says so.
"""

import math


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]
