"""You left the milliseconds in: these are tokens a millisecond."""


def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    if not prompt_ms:
        return {"told": None, "true": None}
    return {"told": (cached + computed) / prompt_ms, "true": computed / prompt_ms}
