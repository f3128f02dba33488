"""You named the last block although it is not full: its name would change with the next token."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def block_keys(ids: list[int], block_size: int) -> list[str]:
    keys, parent = [], ""
    for start in range(0, len(ids), block_size):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    return keys
