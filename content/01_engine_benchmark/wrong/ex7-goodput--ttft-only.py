"""You looked at the first token only. An answer that starts at once and then crawls does not meet its objective."""

from typing import Any


def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    good = sum(not r["error"] and r["first_s"] - r["sent_s"] <= ttft_limit_s for r in requests)
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return good / duration_s
