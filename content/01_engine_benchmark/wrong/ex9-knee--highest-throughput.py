"""You returned the concurrency of the highest throughput. Behind the knee the last few per cent are bought with
everybody's waiting: divide by the latency before you compare.
"""

from typing import Any


def knee(points: list[dict[str, Any]]) -> int | None:
    valid = [point for point in points if point["valid"]]
    best = max(valid, key=lambda point: point["output_tokens_per_s"], default=None)
    return best["concurrency"] if best else None
