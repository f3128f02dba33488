"""You added the samples. Each one already holds everything that was counted before it."""


def increase(samples: list[float]) -> float:
    return sum(samples[1:])
