"""You gave each request all its tokens. The budget is what keeps a step short."""

from typing import Any


def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    plan, left = [], 10**9
    for request in running:
        count = request["todo"]
        if count > 0:
            plan.append([request["id"], count])
            left -= count
    for request in waiting[: max(0, seats - len(running))]:
        if left <= 0 or not (chunked or request["todo"] <= left):
            break
        count = request["todo"]
        plan.append([request["id"], count])
        left -= count
    return plan
