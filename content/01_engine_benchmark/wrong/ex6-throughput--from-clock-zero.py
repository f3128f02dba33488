"""You divided by the last time stamp. The run began when its first request was sent, not when the clock stood at
zero.
"""

from typing import Any


def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    return sum(r["output_tokens"] for r in requests if not r["error"]) / max(r["done_s"] for r in requests)
