"""You subtracted the first sample from the last. After a restart that is negative: a counter never falls."""


def increase(samples: list[float]) -> float:
    return samples[-1] - samples[0]
