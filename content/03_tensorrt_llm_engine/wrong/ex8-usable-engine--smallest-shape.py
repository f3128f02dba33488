"""You took the smallest shape. A range computes what is there, however large it could be."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    fitting = [
        (one["tokens"], one["name"])
        for one in built
        if (one["model"], one["version"]) == (wanted["model"], wanted["version"]) and one["tokens"] >= wanted["tokens"]
    ]
    return min(fitting)[1] if fitting else None
