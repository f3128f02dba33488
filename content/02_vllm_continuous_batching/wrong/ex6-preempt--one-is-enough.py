"""You sent one away and did not look again whether that was enough."""

from typing import Any


def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    return [running[-1]["id"]] if free < needed else []
