"""You computed pieces of nothing. If the others fill the step, the prompt has to wait."""


def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    room = budget - decoding
    whole, rest = divmod(prompt_tokens, room)
    return [room] * whole + ([rest] if rest else [])
