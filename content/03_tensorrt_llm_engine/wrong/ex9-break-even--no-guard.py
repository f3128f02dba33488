"""You did not ask whether anything is saved. What saves nothing is never earned back."""

import math


def break_even_requests(build_s: float, prompt_tokens: int, eager_rate: float, built_rate: float) -> int | None:
    saved_s = prompt_tokens / eager_rate - prompt_tokens / built_rate
    return math.ceil(build_s / saved_s)
