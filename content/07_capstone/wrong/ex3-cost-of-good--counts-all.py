"""You counted every answer: late ones and failed ones are paid for, and worth nothing."""


def eur_per_1000_good(
    eur_per_hour: float, duration_s: float, ttft_s: list[float | None], bound_s: float
) -> float | None:
    return 1000 * eur_per_hour * duration_s / 3600 / len(ttft_s)
