"""You take the first place where the tail stood. What was written last is the better guess of what comes now."""


def propose_ngram(ids: list[int], n: int, draft_tokens: int) -> list[int]:
    for start in range(len(ids) - n):
        if ids[start : start + n] == ids[-n:]:
            return ids[start + n : start + n + draft_tokens]
    return []
