"""You let one request join in a step. As many may as there are seats and tokens for."""

from typing import Any


def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    plan, left = [], budget
    for request in [*running, *waiting[: min(1, max(0, seats - len(running)))]]:
        if left <= 0 or (request["todo"] > left and not chunked):
            break
        count = min(request["todo"], left)
        plan.append([request["id"], count])
        left -= count
    return plan
