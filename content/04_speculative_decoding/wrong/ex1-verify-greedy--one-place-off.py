"""You compare a proposal with what the target says after it. best[0] judges the first proposal."""


def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    kept = 0
    while kept < len(draft) and draft[kept] == best[kept + 1]:
        kept += 1
    return [*draft[:kept], best[kept]]
