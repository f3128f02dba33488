"""You took the best quality: above the floor more of it was not asked for, and it costs."""


def decide(options: list[dict], floor: float) -> str | None:
    fit = [option for option in options if option["slo_met"] and option["quality"] >= floor]
    return max(fit, key=lambda option: option["quality"])["name"] if fit else None
