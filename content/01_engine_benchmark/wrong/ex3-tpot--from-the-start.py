"""You counted from the start of the clock to the last chunk, so the wait for the first token (queue and prefill) is
spread over the others.
"""


def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    if output_tokens < 2:
        return None
    return chunk_s[-1] / (output_tokens - 1)
