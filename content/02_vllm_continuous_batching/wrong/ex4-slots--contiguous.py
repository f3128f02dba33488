"""You counted on from the first block, as if the request's blocks lay side by side."""


def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    return [blocks[0] * block_size + position for position in range(start, start + count)]
