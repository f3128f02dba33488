"""You added the whole position; inside a block only the remainder counts."""


def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    return [blocks[position // block_size] * block_size + position for position in range(start, start + count)]
