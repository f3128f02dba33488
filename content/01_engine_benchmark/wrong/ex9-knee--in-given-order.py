"""You took the first point of the list that comes near the best. The list need not be in order of concurrency."""

from typing import Any


def knee(points: list[dict[str, Any]], share: float) -> int | None:
    valid = [point for point in points if point["valid"]]
    best = max((point["output_tokens_per_s"] for point in valid), default=0.0)
    near = [point["concurrency"] for point in valid if point["output_tokens_per_s"] >= share * best]
    return near[0] if near else None
