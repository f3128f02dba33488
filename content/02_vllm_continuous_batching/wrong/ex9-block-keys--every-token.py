"""You moved on by one token instead of one block."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def block_keys(ids: list[int], block_size: int) -> list[str]:
    keys, parent = [], ""
    for start in range(len(ids) - block_size + 1):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    return keys
