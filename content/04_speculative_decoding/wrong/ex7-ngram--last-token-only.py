"""You look for the last token alone. One token stands in many places; n of them say where we are."""


def propose_ngram(ids: list[int], n: int, draft_tokens: int) -> list[int]:
    for end in range(len(ids) - 2, -1, -1):
        if ids[end] == ids[-1]:
            return ids[end + 1 : end + 1 + draft_tokens]
    return []
