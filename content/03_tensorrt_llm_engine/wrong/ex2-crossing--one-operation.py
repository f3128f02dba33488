"""You counted one operation a weight and token. There are two: a multiplication and an addition."""


def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    return parameters / (4 * layers * heads * head_size / 2)
