"""You let the arithmetic stand still. Twice the tokens are twice the operations."""

from typing import Any


def batch_gain(step: dict[str, float], batch: int) -> dict[str, Any]:
    def terms_s(size: int) -> dict[str, float]:
        return {
            "fixed": step["fixed_s"],
            "bytes": (step["weight_bytes"] + size * step["kv_bytes_per_sequence"]) / step["bytes_per_s"],
            "flops": step["flops_per_token"] / step["flops_per_s"],
        }

    alone, together = terms_s(1), terms_s(batch)
    gain = batch * sum(alone.values()) / sum(together.values())
    return {"gain": gain, "largest": max(together, key=lambda name: together[name])}
