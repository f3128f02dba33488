"""Your ratio is upside down: a token that the target never wants would always be kept."""


def keep_probability(target: float, proposal: float) -> float:
    return min(1.0, proposal / target) if target else 1.0
