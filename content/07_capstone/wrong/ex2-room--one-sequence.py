"""You gave all of the KV cache to one sequence: the others need theirs at the same time."""


def longest_context(
    memory_bytes: int, weights_bytes: int, kv_bytes_per_token: int, sequences: int, replicas: int
) -> int:
    return max(0, (memory_bytes // replicas - weights_bytes) // kv_bytes_per_token)
