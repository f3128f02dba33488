"""You replaced the block table. The tokens computed before are still in the old blocks."""

from typing import Any


def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    tokens = request["tokens"] + count
    needed = -(-tokens // pool["block_size"]) - len(request["blocks"])
    free = list(pool["free"])
    if needed > len(free):
        return None
    return {"free": free[needed:], "tokens": tokens, "blocks": free[:needed]}
