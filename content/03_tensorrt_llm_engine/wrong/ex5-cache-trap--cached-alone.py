"""You took the cached tokens as what is told. The counter holds both kinds."""


def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    if not prompt_ms:
        return {"told": None, "true": None}
    seconds = prompt_ms / 1000
    return {"told": cached / seconds, "true": computed / seconds}
