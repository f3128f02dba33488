"""You find the tail at the end of the text, where it always stands, and nothing follows it there."""


def propose_ngram(ids: list[int], n: int, draft_tokens: int) -> list[int]:
    for start in range(len(ids) - n, -1, -1):
        if ids[start : start + n] == ids[-n:]:
            return ids[start + n : start + n + draft_tokens]
    return []
