"""You chained only the block before. Two texts that differ further back would share a name."""


def block_key(parent: str, ids: list[int]) -> str:
    return f"{parent}/{'-'.join(map(str, ids))}"


def block_keys(ids: list[int], block_size: int) -> list[str]:
    blocks = [ids[start : start + block_size] for start in range(0, len(ids) - block_size + 1, block_size)]
    before = ["", *(block_key("", block) for block in blocks)]
    return [block_key(parent, block) for parent, block in zip(before, blocks, strict=False)]
