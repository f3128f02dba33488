"""You took the least load with nine tenths of the best throughput. Such a rule exists too, but it does not look at
latency at all; this course uses power, throughput divided by latency.
"""

from typing import Any


def knee(points: list[dict[str, Any]]) -> int | None:
    valid = [point for point in points if point["valid"]]
    best = max((point["output_tokens_per_s"] for point in valid), default=0.0)
    near = [point["concurrency"] for point in valid if point["output_tokens_per_s"] >= 0.9 * best]
    return min(near, default=None)
