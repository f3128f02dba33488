"""You return time over tokens: that is how much of the plain time is left, not how many times as fast it is."""


def expected_speedup(length: float, draft_tokens: int, draft_cost: float, verify_cost: float) -> float:
    return (draft_tokens * draft_cost + verify_cost) / length
