"""You held prefill against memory too. Prefill reads the weights once for hundreds of tokens, so arithmetic is its
limit.
"""

from typing import Any


def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    weight_bytes = figure["active_parameters"] * figure["bytes_per_weight"]
    shares = {
        name: weight_bytes * figure[f"{name}_tokens_per_s"] / (machine["count"] * machine["bytes_per_s"])
        for name in ("decode", "prefill")
    }
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 1)}
