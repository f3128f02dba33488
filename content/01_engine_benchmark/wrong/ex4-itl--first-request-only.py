"""You took the gaps of the first request only. Pooled means: of all requests, in one list."""

from itertools import pairwise


def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(requests[0])]
