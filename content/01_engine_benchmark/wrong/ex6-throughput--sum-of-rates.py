"""You added the rates of the requests. That is right only if all of them ran during the whole time; requests one
after another would count as if they had run side by side.
"""

from typing import Any


def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    return sum(r["output_tokens"] / (r["done_s"] - r["sent_s"]) for r in requests if not r["error"])
