"""You added the block's number; a block is block_size slots long."""


def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    return [blocks[position // block_size] + position % block_size for position in range(start, start + count)]
