"""You made equal pieces. A step is filled as far as it goes; only the last piece is shorter."""


def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    room = budget - decoding
    if room <= 0:
        return []
    count = -(-prompt_tokens // room)
    size, more = divmod(prompt_tokens, count)
    return [size + 1] * more + [size] * (count - more)
