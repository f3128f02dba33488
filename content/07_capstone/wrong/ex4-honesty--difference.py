"""You took the relative difference: half of it then costs less than twice as much."""


def honesty(predicted: list[float], measured: list[float]) -> float:
    points = [max(0.0, 1 - abs(said - seen) / seen) for said, seen in zip(predicted, measured, strict=True)]
    return sum(points) / len(points) if points else 0.0
