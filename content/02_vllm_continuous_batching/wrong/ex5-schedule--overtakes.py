"""You let a short prompt overtake the one that does not fit. It may wait for ever."""

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
        if left <= 0 or not (chunked or request["todo"] <= left):
            continue
        count = min(request["todo"], left)
        plan.append([request["id"], count])
        left -= count
    return plan
