"""You returned the time stamp itself. It counts from the start of the run; a user waits from the moment of sending."""

from typing import Any


def ttft_s(request: dict[str, Any]) -> float | None:
    for event in request["events"]:
        if event["delta"].get("content") or event["delta"].get("reasoning_content"):
            return event["at_s"]
    return None
