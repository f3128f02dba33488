"""You call impossible what is merely surprising. Only a share above 1 breaks the limit; above one half is good
engineering.
"""

from typing import Any


def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    flops = 2 * figure["active_parameters"] * figure["prefill_tokens_per_s"]
    moved = figure["active_parameters"] * figure["bytes_per_weight"] * figure["decode_tokens_per_s"]
    shares = {
        "decode": moved / (machine["count"] * machine["bytes_per_s"]),
        "prefill": flops / (machine["count"] * machine["flops_per_s"]),
    }
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 0.5)}
