"""The plain ratio is no probability where the target wants the token more than the draft offers it."""


def keep_probability(target: float, proposal: float) -> float:
    return target / proposal
