"""You gave the last piece a whole step's room: there are not so many tokens left."""


def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    room = budget - decoding
    return [room] * -(-prompt_tokens // room) if room > 0 else []
