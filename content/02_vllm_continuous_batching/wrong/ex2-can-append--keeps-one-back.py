"""You kept a block back: having exactly as many as needed is enough."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    needed = -(-(request["tokens"] + count) // pool["block_size"]) - len(request["blocks"])
    return needed < len(pool["free"]) or needed == 0
