"""You add k times the rate, as if each proposal stood alone. The third counts only if the first two were kept."""


def expected_length(rate: float, draft_tokens: int) -> float:
    return 1 + draft_tokens * rate
