"""You took a square root. A token's share of attention grows with the length itself; only the whole prompt's with its
square.
"""


def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    return (parameters / (layers * heads * head_size)) ** 0.5
