"""You left the size of a head out: a score is a sum over all its elements."""


def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    return 2 * parameters / (4 * layers * heads / 2)
