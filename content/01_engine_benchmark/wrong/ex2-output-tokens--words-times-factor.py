"""You counted words and multiplied by 1.3. The factor was made for English prose of one tokenizer; on code it is
wrong by an order of magnitude.
"""

from typing import Any


def output_tokens(request: dict[str, Any]) -> int | None:
    text = "".join(event["delta"].get("content", "") for event in request["events"])
    return int(len(text.split()) * 1.3)
