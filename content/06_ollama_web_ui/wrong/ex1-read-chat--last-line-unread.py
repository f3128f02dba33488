"""You stopped reading at the line that says `done`, before its words. An engine may send its last words with it."""

import json


def read_chat(pieces: list[str]) -> dict:
    found = {"content": "", "thinking": "", "done": False, "error": None}
    *lines, _ = "".join(pieces).split("\n")
    for value in map(json.loads, filter(None, lines)):
        if value.get("done"):
            found["done"] = True
            break
        found["error"] = value.get("error")
        found["content"] += value.get("message", {}).get("content", "")
        found["thinking"] += value.get("message", {}).get("thinking", "")
    return found
