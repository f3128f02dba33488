"""You took the greatest goodput alone. With many users let down, it is still no promise kept."""

from typing import Any


def best_load(
    points: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float, share: float
) -> dict[str, Any] | None:
    best = None
    for point in points:
        requests = point["requests"]
        good = sum(r["ttft_s"] <= ttft_limit_s and r["tpot_s"] <= tpot_limit_s for r in requests)
        if not point["valid"] or not good:
            continue
        goodput = good / point["duration_s"]
        if best is None or goodput > best["goodput_per_s"]:
            best = {"streams": point["streams"], "goodput_per_s": goodput}
    return best
