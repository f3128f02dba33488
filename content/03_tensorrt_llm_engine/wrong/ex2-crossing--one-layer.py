"""You took the attention of one layer and the weights of all."""


def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    return 2 * parameters / (4 * heads * head_size / 2)
