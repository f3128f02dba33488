"""You compared with the limits of one machine. Several machines have their bandwidth and arithmetic together."""

from typing import Any


def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    flops = 2 * figure["active_parameters"] * figure["prefill_tokens_per_s"]
    moved = figure["active_parameters"] * figure["bytes_per_weight"] * figure["decode_tokens_per_s"]
    shares = {"decode": moved / machine["bytes_per_s"], "prefill": flops / machine["flops_per_s"]}
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 1)}
