"""You divided all tokens by the time of the new ones, twice. That is the absurd rate itself."""


def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    if not prompt_ms:
        return {"told": None, "true": None}
    rate = (cached + computed) / (prompt_ms / 1000)
    return {"told": rate, "true": rate}
