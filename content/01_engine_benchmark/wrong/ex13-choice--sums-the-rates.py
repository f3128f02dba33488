"""You added prefill and decode rates. Prefill rates are a hundred times larger, so the sum is the prefill rate
under another name.
"""

from typing import Any


def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    limit_s = need["ttft_limit_s"]
    fit = [row for row in rows if row["valid"] and (limit_s is None or row["ttft_p99_s"] <= limit_s)]
    return max(fit, key=lambda row: row["prefill"] + row["decode"])["name"] if fit else None
