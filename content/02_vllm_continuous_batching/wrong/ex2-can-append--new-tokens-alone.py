"""You counted blocks for the new tokens alone, and forgot the places left in the last block."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    return -(-count // pool["block_size"]) <= len(pool["free"])
