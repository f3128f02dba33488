"""You did not use the draw. All clients that were refused together would come back together."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return (retry_after_s or 0) + min(30.0, 0.5 * 2 ** (attempt - 1))
