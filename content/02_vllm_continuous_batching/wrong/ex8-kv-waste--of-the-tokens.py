"""You divided by the tokens; asked is the share of what is reserved."""


def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    used = sum(tokens)
    paged = sum(-(-count // block_size) for count in tokens) * block_size
    return {"contiguous": len(tokens) * max_model_len / used - 1, "paged": paged / used - 1}
