"""You took the larger of the two. Then all clients come back at the very second the server named."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return max(retry_after_s or 0, draw * min(30.0, 0.5 * 2 ** (attempt - 1)))
