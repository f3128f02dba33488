"""You count the cost of one proposal. They come one after the other: k of them."""


def expected_speedup(length: float, draft_tokens: int, draft_cost: float, verify_cost: float) -> float:
    return length / (draft_cost + verify_cost)
