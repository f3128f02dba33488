"""After the proposals that hold you put the target's last token. It belongs behind the whole draft, part of which was
rejected.
"""


def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    kept = 0
    while kept < len(draft) and draft[kept] == best[kept]:
        kept += 1
    return [*draft[:kept], best[-1]]
