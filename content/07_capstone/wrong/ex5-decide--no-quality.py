"""You did not ask for the quality: the quickest way to answer is to answer wrongly."""


def decide(options: list[dict], floor: float) -> str | None:
    kept = [option for option in options if option["slo_met"]]
    return min(kept, key=lambda option: option["eur_per_1000"])["name"] if kept else None
