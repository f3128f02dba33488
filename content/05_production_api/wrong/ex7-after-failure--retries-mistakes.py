"""You sent a wrong request to the next engine. It is the client's mistake: every engine will say the same, and the
client needs to read it.
"""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"]:
        return "stop"
    if failure["bytes_sent"]:
        return "error-event"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
