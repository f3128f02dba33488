"""You let points count that are not valid. Their figures answer another question: requests failed, or fewer were in
flight than was asked for.
"""

from typing import Any


def knee(points: list[dict[str, Any]], share: float) -> int | None:
    if not any(point["valid"] for point in points):
        return None
    best = max(point["output_tokens_per_s"] for point in points)
    near = [point["concurrency"] for point in points if point["output_tokens_per_s"] >= share * best]
    return min(near, default=None)
