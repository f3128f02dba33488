"""You counted chunks. An engine may put several tokens into one chunk: after speculation, under load, or for a
character that takes two tokens.
"""

from typing import Any


def output_tokens(request: dict[str, Any]) -> int | None:
    deltas = [event["delta"] for event in request["events"]]
    return sum(bool(delta.get("content") or delta.get("reasoning_content")) for delta in deltas)
