"""You let a broken answer just end. It looks like a short answer, and nobody will know that it is half of one."""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"] or failure["bytes_sent"]:
        return "stop"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
