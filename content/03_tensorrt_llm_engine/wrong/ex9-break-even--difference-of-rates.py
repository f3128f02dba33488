"""You took the difference of the rates. Seconds are saved, and those are tokens by each rate."""

import math


def break_even_requests(build_s: float, prompt_tokens: int, eager_rate: float, built_rate: float) -> int | None:
    saved = (built_rate - eager_rate) / prompt_tokens
    return math.ceil(build_s * saved) if saved > 0 else None
