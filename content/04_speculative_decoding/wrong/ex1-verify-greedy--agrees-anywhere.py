"""You keep every proposal that agrees at its own place, also behind one that failed. What the target said there was an
answer to a text that is no longer true.
"""


def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    return [*(proposed for proposed, wanted in zip(draft, best, strict=False) if proposed == wanted), best[-1]]
