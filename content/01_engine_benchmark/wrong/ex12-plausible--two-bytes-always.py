"""You took two bytes for every weight. Precision decides: FP8 has one byte, FP4 about half a byte and its scales."""

from typing import Any


def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    flops = 2 * figure["active_parameters"] * figure["prefill_tokens_per_s"]
    moved = figure["active_parameters"] * 2 * figure["decode_tokens_per_s"]
    shares = {
        "decode": moved / (machine["count"] * machine["bytes_per_s"]),
        "prefill": flops / (machine["count"] * machine["flops_per_s"]),
    }
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 1)}
