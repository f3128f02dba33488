"""You call it free when no answer was good: without a good answer there is no price of one, which is None."""


def eur_per_1000_good(
    eur_per_hour: float, duration_s: float, ttft_s: list[float | None], bound_s: float
) -> float | None:
    good = sum(value is not None and value <= bound_s for value in ttft_s)
    return 1000 * eur_per_hour * duration_s / 3600 / good if good else 0.0
