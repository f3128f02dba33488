"""You wrote the thoughts into the answer. A thinking model sends them in a field of its own; a reader wants them
apart.
"""

import json


def read_chat(pieces: list[str]) -> dict:
    found = {"content": "", "thinking": "", "done": False, "error": None}
    *lines, _ = "".join(pieces).split("\n")
    for value in map(json.loads, filter(None, lines)):
        message = value.get("message", {})
        found["content"] += message.get("thinking", "") + message.get("content", "")
        found["error"] = value.get("error")
        found["done"] = value.get("done", False)
    return found
