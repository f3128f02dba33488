"""You keep it always or never. A token that is offered a little too often must be rejected a little."""


def keep_probability(target: float, proposal: float) -> float:
    return 1.0 if target >= proposal else 0.0
