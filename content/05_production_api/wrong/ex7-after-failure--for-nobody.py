"""You went on working for a client that has left."""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["bytes_sent"]:
        return "error-event"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
