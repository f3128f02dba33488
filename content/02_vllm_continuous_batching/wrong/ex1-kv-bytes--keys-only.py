"""You counted keys or values; a token leaves both behind."""


def kv_bytes_per_token(shape: dict[str, int], bytes_per_value: int) -> int:
    return shape["layers"] * shape["kv_heads"] * shape["head_size"] * bytes_per_value
