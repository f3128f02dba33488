"""You put all requests into one row of blocks. Each request ends in a block of its own."""


def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    used = sum(tokens)
    paged = -(-used // block_size) * block_size
    return {"contiguous": 1 - used / (len(tokens) * max_model_len), "paged": 1 - used / paged}
