"""You propose the tail itself. It has been written; what is wanted is what followed it."""


def propose_ngram(ids: list[int], n: int, draft_tokens: int) -> list[int]:
    for start in range(len(ids) - n - 1, -1, -1):
        if ids[start : start + n] == ids[-n:]:
            return ids[start : start + draft_tokens]
    return []
