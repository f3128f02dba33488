"""You counted numbers, not bytes."""


def kv_bytes_per_token(shape: dict[str, int], bytes_per_value: int) -> int:
    return 2 * shape["layers"] * shape["kv_heads"] * shape["head_size"]
