"""You counted the tokens of requests that failed. A server that breaks off half its answers would look busy, not
broken.
"""

from typing import Any


def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return sum(r["output_tokens"] for r in requests) / duration_s
