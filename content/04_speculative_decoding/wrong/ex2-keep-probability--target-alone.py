"""You keep it with the target's probability. But it is here because the draft drew it: how often that happens counts
too.
"""


def keep_probability(target: float, proposal: float) -> float:
    return target
