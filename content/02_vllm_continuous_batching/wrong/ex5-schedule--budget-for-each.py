"""You held each request against the whole budget. It is one budget for all of a step."""

from typing import Any


def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    plan = [[request["id"], min(request["todo"], budget)] for request in running]
    for request in waiting[: max(0, seats - len(running))]:
        if not chunked and request["todo"] > budget:
            break
        plan.append([request["id"], min(request["todo"], budget)])
    return plan
