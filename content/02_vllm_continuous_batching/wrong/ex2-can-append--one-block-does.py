"""You looked for one free block. A prompt may need several at once."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    full = request["tokens"] + count > len(request["blocks"]) * pool["block_size"]
    return not full or len(pool["free"]) >= 1
