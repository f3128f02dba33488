"""You swapped the two: what was computed is the true rate."""


def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    if not prompt_ms:
        return {"told": None, "true": None}
    seconds = prompt_ms / 1000
    return {"told": computed / seconds, "true": (cached + computed) / seconds}
