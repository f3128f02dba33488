"""You left the rest out: the last piece may be shorter."""


def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    room = budget - decoding
    return [room] * (prompt_tokens // room) if room > 0 else []
