"""You returned the share of good requests. Goodput is a rate: good requests per second. A server that answers one
request an hour, and well, has a share of 100 %.
"""

from typing import Any


def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    good = 0
    for r in requests:
        tpot_s = (r["last_s"] - r["first_s"]) / (r["output_tokens"] - 1)
        good += not r["error"] and r["first_s"] - r["sent_s"] <= ttft_limit_s and tpot_s <= tpot_limit_s
    return good / len(requests)
