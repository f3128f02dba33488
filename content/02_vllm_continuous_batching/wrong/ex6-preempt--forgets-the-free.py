"""You forgot the blocks that are free already, and sent more away than needed."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    stay, gone, free = list(running), [], 0
    while free < needed and stay:
        leaves = stay.pop()
        held = {block for request in stay for block in request["blocks"]}
        free += len(set(leaves["blocks"]) - held)
        gone.append(leaves["id"])
    return gone
