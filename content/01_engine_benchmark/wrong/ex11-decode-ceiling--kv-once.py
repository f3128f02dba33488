"""You read keys and values once for the batch. Each sequence has its own, and attends to them in every step: this
is why long contexts end the gain of batching.
"""


def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    return batch * bandwidth_gb_per_s / (weights_gb + kv_gb_per_sequence)
