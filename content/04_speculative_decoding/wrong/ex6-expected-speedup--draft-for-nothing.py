"""You forget that proposals take time. A draft of a tenth of the target's cost, four times, is almost half a step."""


def expected_speedup(length: float, draft_tokens: int, draft_cost: float, verify_cost: float) -> float:
    return length / verify_cost
