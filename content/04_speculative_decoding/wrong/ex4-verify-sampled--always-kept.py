"""You keep every proposal. What comes out is the draft's distribution: fast, and a smaller model's text."""


def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    counts = [0] * len(target)
    for token, _, _ in trials:
        counts[int(token)] += 1
    return counts
