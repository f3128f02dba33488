"""You counted the query heads. Nothing is kept of a query: the cache has one entry for each KV head."""


def kv_bytes_per_token(shape: dict[str, int], bytes_per_value: int) -> int:
    return 2 * shape["layers"] * shape["heads"] * shape["head_size"] * bytes_per_value
