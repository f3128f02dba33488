"""You counted the fall itself as growth. How far the counter fell says nothing; what it shows afterwards does."""

from itertools import pairwise


def increase(samples: list[float]) -> float:
    return sum(abs(later - earlier) for earlier, later in pairwise(samples))
