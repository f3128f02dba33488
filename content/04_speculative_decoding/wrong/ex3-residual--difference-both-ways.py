"""You count tokens that were offered too often as missing too. They are offered too often already."""


def residual(target: list[float], proposal: list[float]) -> list[float]:
    missing = [abs(wanted - offered) for wanted, offered in zip(target, proposal, strict=True)]
    return [value / sum(missing) for value in missing]
