"""You asked for a free block even where the request's last block still has places."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    return len(pool["free"]) >= max(1, -(-(request["tokens"] + count) // pool["block_size"]) - len(request["blocks"]))
