"""You forgot that the weights lie in the same memory."""


def longest_context(
    memory_bytes: int, weights_bytes: int, kv_bytes_per_token: int, sequences: int, replicas: int
) -> int:
    return memory_bytes // replicas // (sequences * kv_bytes_per_token)
