"""You give all points to those who say nothing."""

from math import log2


def honesty(predicted: list[float], measured: list[float]) -> float:
    points = [max(0.0, 1 - abs(log2(said / seen))) for said, seen in zip(predicted, measured, strict=True)]
    return sum(points) / len(points) if points else 1.0
