"""You counted the weights once: each replica loads them for itself."""


def longest_context(
    memory_bytes: int, weights_bytes: int, kv_bytes_per_token: int, sequences: int, replicas: int
) -> int:
    return max(0, (memory_bytes - weights_bytes) // (replicas * sequences * kv_bytes_per_token))
