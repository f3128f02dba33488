"""You took the value just below the position. This definition exists, but two tools with different definitions do
not agree on small samples; this course interpolates, and says so.
"""


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[int(percent / 100 * (len(values) - 1))]
