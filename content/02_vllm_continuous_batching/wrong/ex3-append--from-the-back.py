"""You took the blocks that were freed last. The front has been free longest, so what it still caches is used least."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = -(-tokens // pool["block_size"]) - len(request["blocks"])
    free = list(pool["free"])
    if needed > len(free):
        return None
    taken = [free.pop() for _ in range(needed)]
    return {"free": free, "tokens": tokens, "blocks": request["blocks"] + taken}
