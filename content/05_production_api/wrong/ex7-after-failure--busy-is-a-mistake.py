"""You passed 429 on although another engine may be idle. Of all 4xx this one is not the client's mistake."""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"]:
        return "stop"
    if failure["bytes_sent"]:
        return "error-event"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500:
        return "pass-on"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
