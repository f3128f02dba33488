"""You gave up although another engine was left and nothing had been sent: the client need not have noticed."""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"]:
        return "stop"
    if failure["bytes_sent"]:
        return "error-event"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "refuse"
