"""You take the verifying pass to cost as much as a plain step. It computes k + 1 tokens for each sequence."""


def expected_speedup(length: float, draft_tokens: int, draft_cost: float, verify_cost: float) -> float:
    return length / (draft_tokens * draft_cost + 1)
