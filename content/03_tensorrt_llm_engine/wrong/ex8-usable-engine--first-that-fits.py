"""You took the first that fits. Another one may compute less."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    for one in built:
        same = (one["model"], one["version"]) == (wanted["model"], wanted["version"])
        if same and one["tokens"] >= wanted["tokens"]:
            return str(one["name"])
    return None
