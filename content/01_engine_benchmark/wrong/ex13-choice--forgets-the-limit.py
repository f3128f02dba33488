"""You took the fastest and forgot the bound on the first token. A need has conditions that must hold, and one
figure to be best in.
"""

from typing import Any


def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    fit = [row for row in rows if row["valid"]]
    return max(fit, key=lambda row: row[need["rate"]])["name"] if fit else None
