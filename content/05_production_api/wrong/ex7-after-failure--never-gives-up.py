"""You tried again when no engine was left. That loop ends with the client's patience."""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"]:
        return "stop"
    if failure["bytes_sent"]:
        return "error-event"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "retry"
