"""You let a run win that is not valid. The fastest row of a table is the first to be doubted."""

from typing import Any


def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    limit_s = need["ttft_limit_s"]
    fit = [row for row in rows if limit_s is None or row["ttft_p99_s"] <= limit_s]
    return max(fit, key=lambda row: row[need["rate"]])["name"] if fit else None
