"""You let points count that are not valid. Their figures answer another question: requests failed, or fewer were in
flight than was asked for.
"""

from typing import Any


def knee(points: list[dict[str, Any]]) -> int | None:
    best = max(points, key=lambda point: point["output_tokens_per_s"] / point["e2e_p50_s"], default=None)
    return best["concurrency"] if best else None
