"""You returned the useful share. Asked is what nobody wanted."""

import math


def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    runs = math.ceil(prompt_tokens / run_tokens) + output_tokens - 1
    return (prompt_tokens + output_tokens - 1) / (runs * run_tokens)
