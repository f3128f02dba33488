"""You returned tokens per second. TPOT is seconds per token: the smaller, the better."""


def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    if output_tokens < 2:
        return None
    return (output_tokens - 1) / (chunk_s[-1] - chunk_s[0])
