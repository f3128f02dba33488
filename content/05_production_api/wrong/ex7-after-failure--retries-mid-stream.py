"""You tried another engine after the client had seen part of an answer. The second one writes other words: the text
would begin anew in the middle of a sentence.
"""

from typing import Any


def after_failure(failure: dict[str, Any]) -> str:
    if failure["client_left"]:
        return "stop"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
