"""You returned the concurrency of the lowest latency. That is nearly always one user, and a machine that mostly
waits.
"""

from typing import Any


def knee(points: list[dict[str, Any]]) -> int | None:
    valid = [point for point in points if point["valid"]]
    best = min(valid, key=lambda point: point["e2e_p50_s"], default=None)
    return best["concurrency"] if best else None
