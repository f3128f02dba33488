"""You divided by the sum of all requests' times. Requests that run side by side share the same seconds; each second
may be counted only once.
"""

from typing import Any


def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    answered = [r for r in requests if not r["error"]]
    return sum(r["output_tokens"] for r in answered) / sum(r["done_s"] - r["sent_s"] for r in answered)
