"""You gave the steps per second. Each step gives one token to every sequence of the batch."""


def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    return bandwidth_gb_per_s / (weights_gb + batch * kv_gb_per_sequence)
