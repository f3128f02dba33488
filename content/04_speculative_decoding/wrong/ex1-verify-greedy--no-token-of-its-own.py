"""You return the proposals that hold, and stop there. The pass has also computed what the target says next; without it
a failed draft yields nothing at all.
"""


def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    kept = []
    for proposed, wanted in zip(draft, best, strict=False):
        if proposed != wanted:
            break
        kept.append(proposed)
    return kept
