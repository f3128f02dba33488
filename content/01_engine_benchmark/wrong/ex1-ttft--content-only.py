"""You waited for visible words and skipped the hidden thinking. Its tokens are generated one by one like all
others: a model that thinks for a minute would seem to prefill for a minute.
"""

from typing import Any


def ttft_s(request: dict[str, Any]) -> float | None:
    for event in request["events"]:
        if event["delta"].get("content"):
            return event["at_s"] - request["sent_s"]
    return None
