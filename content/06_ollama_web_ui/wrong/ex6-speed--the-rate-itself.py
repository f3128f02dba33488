"""You gave the rate. Tokens per second and milliseconds per token are each other's inverse."""


def speed(figures: dict) -> str | None:
    rate = figures.get("output_tokens_per_s")
    return None if rate is None else f"{rate:.1f} ms per token"
