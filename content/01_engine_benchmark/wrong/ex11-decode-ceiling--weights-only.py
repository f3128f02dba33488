"""You left out keys and values. For one short sequence they hardly count; for many long ones they are most of the
traffic.
"""


def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    return batch * bandwidth_gb_per_s / weights_gb
