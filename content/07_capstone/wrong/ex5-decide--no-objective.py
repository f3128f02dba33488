"""You did not ask for the objective: a cheap answer that comes too late is no answer."""


def decide(options: list[dict], floor: float) -> str | None:
    right = [option for option in options if option["quality"] >= floor]
    return min(right, key=lambda option: option["eur_per_1000"])["name"] if right else None
