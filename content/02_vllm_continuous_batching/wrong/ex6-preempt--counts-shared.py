"""You counted shared blocks as free. As long as somebody holds a block, it is not."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    stay, gone = list(running), []
    while free < needed and stay:
        leaves = stay.pop()
        free += len(leaves["blocks"])
        gone.append(leaves["id"])
    return gone
