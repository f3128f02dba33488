"""You cut prompts into pieces where chunked is False."""

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
        if left <= 0 or not request["todo"]:
            break
        count = min(request["todo"], left)
        plan.append([request["id"], count])
        left -= count
    return plan
