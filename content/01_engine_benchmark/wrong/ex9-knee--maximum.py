"""You returned the concurrency of the highest throughput. On a flat top that is chance, and every user waits longer
for nothing gained.
"""

from typing import Any


def knee(points: list[dict[str, Any]], share: float) -> int | None:
    valid = [point for point in points if point["valid"]]
    if not valid:
        return None
    return max(valid, key=lambda point: point["output_tokens_per_s"])["concurrency"]
