"""You chained the names and returned the last one: each full block needs its own, or only whole prompts match."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def block_keys(ids: list[int], block_size: int) -> list[str]:
    parent = ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = block_key(parent, ids[start : start + block_size])
    return [parent] if parent else []
