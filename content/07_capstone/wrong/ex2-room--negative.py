"""Your answer can be negative: where the weights do not fit there is no context at all, which is 0."""


def longest_context(
    memory_bytes: int, weights_bytes: int, kv_bytes_per_token: int, sequences: int, replicas: int
) -> int:
    return (memory_bytes // replicas - weights_bytes) // (sequences * kv_bytes_per_token)
