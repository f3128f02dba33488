"""You divided by a time of zero. A prompt that was wholly known takes none."""


def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    seconds = prompt_ms / 1000
    return {"told": (cached + computed) / seconds, "true": computed / seconds}
