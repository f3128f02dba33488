"""You returned the share that is used."""


def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    paged = sum(-(-count // block_size) for count in tokens) * block_size
    return {"contiguous": sum(tokens) / (len(tokens) * max_model_len), "paged": sum(tokens) / paged}
