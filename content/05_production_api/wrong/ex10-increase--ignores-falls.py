"""You left out the step at which the counter fell. The process began at zero there: what it shows after the restart
was counted since.
"""

from itertools import pairwise


def increase(samples: list[float]) -> float:
    return sum(max(0, later - earlier) for earlier, later in pairwise(samples))
