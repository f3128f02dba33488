"""You counted one operation a weight and token. There are two: a multiplication and an addition."""

from typing import Any


def impossible(figures: list[dict[str, Any]], dense_flops_per_s: float) -> list[str]:
    return sorted(
        one["name"]
        for one in figures
        if one["active_parameters"] * one["prefill_tokens_per_s"] > dense_flops_per_s * one["sparks"]
    )
