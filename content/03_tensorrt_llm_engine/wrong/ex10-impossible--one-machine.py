"""You compared with the chip of one machine. Several machines have several."""

from typing import Any


def impossible(figures: list[dict[str, Any]], dense_flops_per_s: float) -> list[str]:
    return sorted(
        one["name"] for one in figures if 2 * one["active_parameters"] * one["prefill_tokens_per_s"] > dense_flops_per_s
    )
