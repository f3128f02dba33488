"""You took an engine without room for the wanted tokens."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    fitting = [
        (one["tokens"] if one["kind"] == "fixed" else wanted["tokens"], one["name"])
        for one in built
        if (one["model"], one["version"]) == (wanted["model"], wanted["version"])
    ]
    return min(fitting)[1] if fitting else None
