"""You divided by chunks. That gives the mean gap between chunks, which is longer where a chunk carries several
tokens.
"""


def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    if len(chunk_s) < 2:
        return None
    return (chunk_s[-1] - chunk_s[0]) / (len(chunk_s) - 1)
