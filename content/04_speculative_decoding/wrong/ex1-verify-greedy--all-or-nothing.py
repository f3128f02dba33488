"""You take the whole draft or none of it. A draft whose first tokens hold has already saved passes."""


def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    return list(best) if draft == best[: len(draft)] else [best[0]]
