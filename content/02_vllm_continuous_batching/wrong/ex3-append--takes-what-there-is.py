"""You handed out what was there. A request with half its blocks can compute nothing, and keeps them from others."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = -(-tokens // pool["block_size"]) - len(request["blocks"])
    free = list(pool["free"])
    taken, free = free[:needed], free[needed:]
    return {"free": free, "tokens": tokens, "blocks": request["blocks"] + taken}
