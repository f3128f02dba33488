"""You took an engine of another model: it would answer with other weights, and nobody would notice."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    fitting = [
        (one["tokens"] if one["kind"] == "fixed" else wanted["tokens"], one["name"])
        for one in built
        if one["version"] == wanted["version"] and one["tokens"] >= wanted["tokens"]
    ]
    return min(fitting)[1] if fitting else None
