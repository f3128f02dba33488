"""Your rule is right where there is a valid point. Where there is none, the answer is None, not an error and not
the first point.
"""

from typing import Any


def knee(points: list[dict[str, Any]]) -> int | None:
    valid = [point for point in points if point["valid"]]
    return max(valid, key=lambda point: point["output_tokens_per_s"] / point["e2e_p50_s"])["concurrency"]
