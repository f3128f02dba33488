"""You gave seconds where milliseconds are written."""


def speed(figures: dict) -> str | None:
    rate = figures.get("output_tokens_per_s")
    return None if rate is None else f"{1 / rate:.1f} ms per token"
