"""You read the weights once for each sequence. The step reads them once for all: that is the whole gain of
batching.
"""


def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    return batch * bandwidth_gb_per_s / (batch * (weights_gb + kv_gb_per_sequence))
