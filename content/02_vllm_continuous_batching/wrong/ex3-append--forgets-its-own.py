"""You counted blocks for all tokens and forgot those that the request holds already."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = -(-tokens // pool["block_size"])
    free = list(pool["free"])
    if needed > len(free):
        return None
    return {"free": free[needed:], "tokens": tokens, "blocks": request["blocks"] + free[:needed]}
