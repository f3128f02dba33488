"""You reused a part of a block. Blocks are shared whole: one that is still written into must be one's own."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def reusable_tokens(ids: list[int], block_size: int, known: list[str]) -> int:
    keys, parent = [], ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    hits = 0
    while hits < len(keys) and keys[hits] in known:
        hits += 1
    return min(hits * block_size, len(ids) - 1)
