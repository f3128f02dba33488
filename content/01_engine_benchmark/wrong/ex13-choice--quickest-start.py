"""You took the quickest start. The bound asks for quick enough; among those that are, the need's own rate decides."""

from typing import Any


def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    limit_s = need["ttft_limit_s"]
    fit = [row for row in rows if row["valid"] and (limit_s is None or row["ttft_p99_s"] <= limit_s)]
    return min(fit, key=lambda row: row["ttft_p99_s"])["name"] if fit else None
