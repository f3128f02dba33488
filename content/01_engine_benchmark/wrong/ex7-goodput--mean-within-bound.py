"""You compared the means with the bounds. One user who waited ten times too long is not consoled by the others."""

from typing import Any


def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    answered = [r for r in requests if not r["error"]]
    ttft_s = sum(r["first_s"] - r["sent_s"] for r in answered) / len(answered)
    tpot_s = sum((r["last_s"] - r["first_s"]) / (r["output_tokens"] - 1) for r in answered) / len(answered)
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return len(answered) / duration_s if ttft_s <= ttft_limit_s and tpot_s <= tpot_limit_s else 0.0
