"""You stopped the clock at the first event. Many servers open a stream with an event that only says who speaks; no
token of the model is in it yet.
"""

from typing import Any


def ttft_s(request: dict[str, Any]) -> float | None:
    return request["events"][0]["at_s"] - request["sent_s"]
