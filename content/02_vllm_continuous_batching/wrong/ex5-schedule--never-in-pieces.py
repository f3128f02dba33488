"""You gave a long prompt no piece although chunked is True: it waits for a step it fits into, which never comes."""

from typing import Any


def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    plan, left = [], budget
    for request in running:
        count = min(request["todo"], left)
        if count > 0:
            plan.append([request["id"], count])
            left -= count
    for request in waiting[: max(0, seats - len(running))]:
        if left <= 0 or not request["todo"] <= left:
            break
        count = min(request["todo"], left)
        plan.append([request["id"], count])
        left -= count
    return plan
