"""You let the wait grow without bound. After ten attempts a client would wait for minutes beside an idle server."""


def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    return (retry_after_s or 0) + draw * 0.5 * 2 ** (attempt - 1)
