"""You took the table's row for the block itself: the row says where in the pool the block lies."""


def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    return [position // block_size * block_size + position % block_size for position in range(start, start + count)]
