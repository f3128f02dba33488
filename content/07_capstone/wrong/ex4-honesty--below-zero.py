"""A figure can count below 0 with you: then one bad guess eats the points of the good ones."""

from math import log2


def honesty(predicted: list[float], measured: list[float]) -> float:
    points = [1 - abs(log2(said / seen)) for said, seen in zip(predicted, measured, strict=True)]
    return sum(points) / len(points) if points else 0.0
