"""You added half a second with each attempt. Doubling gives an overloaded server room much sooner."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return (retry_after_s or 0) + draw * min(30.0, 0.5 * attempt)
