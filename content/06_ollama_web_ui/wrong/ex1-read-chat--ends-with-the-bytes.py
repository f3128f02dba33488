"""You took the end of the bytes for the end of the answer. An engine that dies ends them too; `done` is what says
so.
"""

import json


def read_chat(pieces: list[str]) -> dict:
    found = {"content": "", "thinking": "", "done": True, "error": None}
    *lines, _ = "".join(pieces).split("\n")
    for value in map(json.loads, filter(None, lines)):
        message = value.get("message", {})
        found["content"] += message.get("content", "")
        found["thinking"] += message.get("thinking", "")
        found["error"] = value.get("error")
    return found
