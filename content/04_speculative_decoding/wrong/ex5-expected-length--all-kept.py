"""You count a draft only if all of it is kept. What holds before the first failure counts too."""


def expected_length(rate: float, draft_tokens: int) -> float:
    return 1 + draft_tokens * rate**draft_tokens
