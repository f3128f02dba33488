"""You doubled before the first wait. The first attempt that failed costs half a second."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return (retry_after_s or 0) + draw * min(30.0, 0.5 * 2**attempt)
