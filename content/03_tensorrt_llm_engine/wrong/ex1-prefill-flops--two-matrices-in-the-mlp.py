"""You counted two matrices in the MLP. SwiGLU has three: gate, up and down."""


def prefill_flops(shape: dict[str, int], prompt_tokens: int) -> int:
    query = shape["heads"] * shape["head_size"]
    key_value = 2 * shape["kv_heads"] * shape["head_size"]
    layer = shape["hidden"] * (2 * query + key_value) + 2 * shape["hidden"] * shape["intermediate"]
    matrices = 2 * shape["layers"] * layer * prompt_tokens
    attention = 4 * shape["layers"] * query * prompt_tokens * (prompt_tokens + 1) // 2
    return matrices + attention + 2 * shape["hidden"] * shape["vocabulary"]
