"""You accept a proposal if it is the target's most likely token, and put that token there otherwise. That is
temperature 0: however hot the user asked, the other tokens never come out.
"""


def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    counts = [0] * len(target)
    for _ in trials:
        counts[target.index(max(target))] += 1
    return counts
