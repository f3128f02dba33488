"""You counted one layer; each layer has keys and values of its own."""


def kv_bytes_per_token(shape: dict[str, int], bytes_per_value: int) -> int:
    return 2 * shape["kv_heads"] * shape["head_size"] * bytes_per_value
