"""You took seconds for hours: the price is for an hour."""


def eur_per_1000_good(
    eur_per_hour: float, duration_s: float, ttft_s: list[float | None], bound_s: float
) -> float | None:
    good = sum(value is not None and value <= bound_s for value in ttft_s)
    return 1000 * eur_per_hour * duration_s / good if good else None
