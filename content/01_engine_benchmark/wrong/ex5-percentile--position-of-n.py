"""Your position runs to n instead of n - 1, so it lies too far to the right."""


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    position = min(percent / 100 * len(values), len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
