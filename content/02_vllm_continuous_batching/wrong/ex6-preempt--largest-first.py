"""You sent the largest away. That frees most, and throws most work away; under load, long requests would never end."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    stay, gone = list(running), []
    while free < needed and stay:
        leaves = max(stay, key=lambda request: len(request["blocks"]))
        stay.remove(leaves)
        held = {block for request in stay for block in request["blocks"]}
        free += len(set(leaves["blocks"]) - held)
        gone.append(leaves["id"])
    return gone
