"""What is missing is right, but it does not sum to 1: it is no distribution to draw from."""


def residual(target: list[float], proposal: list[float]) -> list[float]:
    return [max(0.0, wanted - offered) for wanted, offered in zip(target, proposal, strict=True)]
