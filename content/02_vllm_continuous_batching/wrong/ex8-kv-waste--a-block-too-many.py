"""You reserved a block beyond a full one: nothing is in it yet, and nothing need be."""


def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    paged = sum(count // block_size + 1 for count in tokens) * block_size
    used = sum(tokens)
    return {"contiguous": 1 - used / (len(tokens) * max_model_len), "paged": 1 - used / paged}
