"""You sent the first that arrived away. It has waited longest and is nearest to its end."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    stay, gone = list(running), []
    while free < needed and stay:
        leaves = stay.pop(0)
        held = {block for request in stay for block in request["blocks"]}
        free += len(set(leaves["blocks"]) - held)
        gone.append(leaves["id"])
    return gone
