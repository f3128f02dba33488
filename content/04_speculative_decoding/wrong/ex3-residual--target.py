"""You draw again from the target's own distribution. The tokens that the draft offers have had a chance already, and
would come out too often.
"""


def residual(target: list[float], proposal: list[float]) -> list[float]:
    return list(target)
