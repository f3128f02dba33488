"""You put all time stamps into one list first. Then the pause between two requests, or the difference between two
users' streams, counts as a gap.
"""

from itertools import pairwise


def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    times = sorted(time for chunk_s in requests for time in chunk_s)
    return [later - earlier for earlier, later in pairwise(times)]
