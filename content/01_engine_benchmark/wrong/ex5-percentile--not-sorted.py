"""You did not sort. The position only means something in an ordered list."""


def percentile(values: list[float], percent: float) -> float:
    position = percent / 100 * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)
