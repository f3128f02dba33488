"""You did not look at Retry-After. The server knows better than you when there is room."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return draw * min(30.0, 0.5 * 2 ** (attempt - 1))
