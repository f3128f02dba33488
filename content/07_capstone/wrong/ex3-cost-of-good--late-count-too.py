"""You left out the failed ones only: an answer after the bound is not a good one."""


def eur_per_1000_good(
    eur_per_hour: float, duration_s: float, ttft_s: list[float | None], bound_s: float
) -> float | None:
    good = sum(value is not None for value in ttft_s)
    return 1000 * eur_per_hour * duration_s / 3600 / good if good else None
