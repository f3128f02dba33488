"""You gave the blocks away and left them in the free list: the next request gets them too, and overwrites."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = -(-tokens // pool["block_size"]) - len(request["blocks"])
    free = list(pool["free"])
    if needed > len(free):
        return None
    return {"free": free, "tokens": tokens, "blocks": request["blocks"] + free[:needed]}
