"""You read every piece as a line of JSON. A read of the socket knows nothing of lines: keep what is incomplete."""

import json


def read_chat(pieces: list[str]) -> dict:
    found = {"content": "", "thinking": "", "done": False, "error": None}
    for piece in pieces:
        for line in piece.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            message = value.get("message", {})
            found["content"] += message.get("content", "")
            found["thinking"] += message.get("thinking", "")
            found["error"] = value.get("error")
            found["done"] = value.get("done", False)
    return found
