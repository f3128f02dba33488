"""You left them in the order of the list. Asked is the alphabetical one."""

from typing import Any


def impossible(figures: list[dict[str, Any]], dense_flops_per_s: float) -> list[str]:
    return [
        one["name"]
        for one in figures
        if 2 * one["active_parameters"] * one["prefill_tokens_per_s"] > dense_flops_per_s * one["sparks"]
    ]
