"""You rounded down: a block that is only begun is needed whole."""

from typing import Any


def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    return (request["tokens"] + count) // pool["block_size"] - len(request["blocks"]) <= len(pool["free"])
