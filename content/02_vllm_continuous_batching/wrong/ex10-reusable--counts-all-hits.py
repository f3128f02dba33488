"""You counted every block that is known. Behind a block that is missing, nothing can be used."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def reusable_tokens(ids: list[int], block_size: int, known: list[str]) -> int:
    keys, parent = [], ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    hits = sum(key in known for key in keys) * block_size
    return hits if hits < len(ids) else hits - block_size
