"""You let the draft go on for ever: 1 / (1 - rate) is the limit for endless proposals. It has k of them."""


def expected_length(rate: float, draft_tokens: int) -> float:
    return 1 / (1 - rate) if rate < 1 else float(draft_tokens + 1)
