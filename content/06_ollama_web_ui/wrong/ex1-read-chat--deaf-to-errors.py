"""You passed over the line that is an error. The status was 200 when the stream began; later trouble comes as a
line.
"""

import json


def read_chat(pieces: list[str]) -> dict:
    found = {"content": "", "thinking": "", "done": False, "error": None}
    *lines, _ = "".join(pieces).split("\n")
    for value in map(json.loads, filter(None, lines)):
        message = value.get("message", {})
        found["content"] += message.get("content", "")
        found["thinking"] += message.get("thinking", "")
        found["done"] = value.get("done", False)
    return found
