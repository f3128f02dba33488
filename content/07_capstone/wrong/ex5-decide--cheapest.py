"""You took the cheapest, whatever it does: quality and objective are conditions."""


def decide(options: list[dict], floor: float) -> str | None:
    return min(options, key=lambda option: option["eur_per_1000"])["name"]
