"""You let failed requests count. They often look quick, because they end early."""

from typing import Any


def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    good = 0
    for r in requests:
        tpot_s = (r["last_s"] - r["first_s"]) / (r["output_tokens"] - 1)
        good += r["first_s"] - r["sent_s"] <= ttft_limit_s and tpot_s <= tpot_limit_s
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return good / duration_s
