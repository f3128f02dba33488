"""Only what was predicted too high costs points with you: caution is as wrong as boasting."""

from math import log2


def honesty(predicted: list[float], measured: list[float]) -> float:
    points = [min(1.0, max(0.0, 1 - log2(said / seen))) for said, seen in zip(predicted, measured, strict=True)]
    return sum(points) / len(points) if points else 0.0
