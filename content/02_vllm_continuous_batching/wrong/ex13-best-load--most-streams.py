"""You took the most users that keep the promise. Fewer users may be served more a second."""

from typing import Any


def best_load(
    points: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float, share: float
) -> dict[str, Any] | None:
    best = None
    for point in points:
        requests = point["requests"]
        good = sum(r["ttft_s"] <= ttft_limit_s and r["tpot_s"] <= tpot_limit_s for r in requests)
        if not point["valid"] or good < share * len(requests):
            continue
        best = {"streams": point["streams"], "goodput_per_s": good / point["duration_s"]}
    return best
