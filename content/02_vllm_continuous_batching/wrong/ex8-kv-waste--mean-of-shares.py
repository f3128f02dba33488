"""You averaged the requests' shares. A request with few places counts as much as one with many: sum first."""


def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    paged = [1 - count / (-(-count // block_size) * block_size) for count in tokens]
    contiguous = [1 - count / max_model_len for count in tokens]
    return {"contiguous": sum(contiguous) / len(tokens), "paged": sum(paged) / len(tokens)}
