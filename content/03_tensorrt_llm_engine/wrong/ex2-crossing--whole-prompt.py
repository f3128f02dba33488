"""You let each token look at the whole prompt; on average it sees half of it."""


def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    return 2 * parameters / (4 * layers * heads * head_size)
