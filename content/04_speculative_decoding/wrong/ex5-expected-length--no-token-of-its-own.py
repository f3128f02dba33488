"""You count the proposals that are kept, and forget the token that the target adds in each pass."""


def expected_length(rate: float, draft_tokens: int) -> float:
    return sum(rate**place for place in range(1, draft_tokens + 1))
