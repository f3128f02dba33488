"""You took an engine of another version. What one version has compiled, another does not load."""

from typing import Any


def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    fitting = [
        (one["tokens"] if one["kind"] == "fixed" else wanted["tokens"], one["name"])
        for one in built
        if one["model"] == wanted["model"] and one["tokens"] >= wanted["tokens"]
    ]
    return min(fitting)[1] if fitting else None
