"""You gave the prompt the whole step. Everybody who decodes takes a token of it first."""


def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    whole, rest = divmod(prompt_tokens, budget)
    return [budget] * whole + ([rest] if rest else [])
