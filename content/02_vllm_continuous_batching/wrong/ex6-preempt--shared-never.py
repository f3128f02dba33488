"""You never counted a shared block. When its last holder goes, it comes free."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    holders: dict[int, int] = {}
    for request in running:
        for block in request["blocks"]:
            holders[block] = holders.get(block, 0) + 1
    stay, gone = list(running), []
    while free < needed and stay:
        leaves = stay.pop()
        free += sum(holders[block] == 1 for block in leaves["blocks"])
        gone.append(leaves["id"])
    return gone if free >= needed else []
