"""You took a block for the token after these. It may never come; ask again when it does."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = tokens // pool["block_size"] + 1 - len(request["blocks"])
    free = list(pool["free"])
    if needed > len(free):
        return None
    return {"free": free[needed:], "tokens": tokens, "blocks": request["blocks"] + free[:needed]}
