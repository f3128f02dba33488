"""You divided by all tokens. The first token's time is the TTFT; the span from first to last holds one token fewer."""


def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    if output_tokens < 2:
        return None
    return (chunk_s[-1] - chunk_s[0]) / output_tokens
