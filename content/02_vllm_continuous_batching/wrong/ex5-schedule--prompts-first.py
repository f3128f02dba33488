"""You served those that wait before those that run: every new prompt stops the text of all others."""

from typing import Any


def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    plan, left = [], budget
    for request in [*waiting[: max(0, seats - len(running))], *running]:
        if request["todo"] > left and not chunked:
            continue
        count = min(request["todo"], left)
        if count > 0:
            plan.append([request["id"], count])
            left -= count
    return plan
