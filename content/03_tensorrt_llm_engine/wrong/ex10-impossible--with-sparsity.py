"""You doubled the peak, as advertisements do. That is with structured sparsity, which a dense model does not have."""

from typing import Any


def impossible(figures: list[dict[str, Any]], dense_flops_per_s: float) -> list[str]:
    return sorted(
        one["name"]
        for one in figures
        if 2 * one["active_parameters"] * one["prefill_tokens_per_s"] > 2 * dense_flops_per_s * one["sparks"]
    )
