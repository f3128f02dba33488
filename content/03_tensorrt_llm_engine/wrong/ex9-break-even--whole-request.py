"""You divided the build by what a request takes on the built engine, not by what it saves."""

import math


def break_even_requests(build_s: float, prompt_tokens: int, eager_rate: float, built_rate: float) -> int | None:
    return math.ceil(build_s / (prompt_tokens / built_rate)) if built_rate > eager_rate else None
