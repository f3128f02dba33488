"""You measured each chunk from the first one. A gap lies between one chunk and the next."""


def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    return [time - chunk_s[0] for chunk_s in requests for time in chunk_s[1:]]
