"""You averaged the rates of the requests. That is the speed one user sees; it does not grow with the number of
users, and the throughput of the machine does.
"""

from typing import Any


def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    rates = [r["output_tokens"] / (r["done_s"] - r["sent_s"]) for r in requests if not r["error"]]
    return sum(rates) / len(rates)
