"""You found the block and forgot the place inside it."""


def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    return [blocks[position // block_size] * block_size for position in range(start, start + count)]
