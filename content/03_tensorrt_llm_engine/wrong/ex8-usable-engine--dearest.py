"""You took the one that computes the most."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    fitting = [
        (one["tokens"] if one["kind"] == "fixed" else wanted["tokens"], one["name"])
        for one in built
        if (one["model"], one["version"]) == (wanted["model"], wanted["version"]) and one["tokens"] >= wanted["tokens"]
    ]
    return max(fitting)[1] if fitting else None
