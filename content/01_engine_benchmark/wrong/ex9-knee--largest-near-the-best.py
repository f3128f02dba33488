"""You took the largest concurrency near the best throughput. More users there only make each of them wait longer:
the knee is where the gain ends, so take the least.
"""

from typing import Any


def knee(points: list[dict[str, Any]], share: float) -> int | None:
    valid = [point for point in points if point["valid"]]
    best = max((point["output_tokens_per_s"] for point in valid), default=0.0)
    near = [point["concurrency"] for point in valid if point["output_tokens_per_s"] >= share * best]
    return max(near, default=None)
