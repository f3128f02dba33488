"""You chose among the right points, by all requests a second. Those that broke the promise are not goodput."""

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
        goodput = len(requests) / point["duration_s"]
        if best is None or goodput > best["goodput_per_s"]:
            best = {"streams": point["streams"], "goodput_per_s": goodput}
    return best
