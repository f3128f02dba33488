"""You divided by the wanted tokens. The share is one of all that were computed."""

import math


def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    runs = math.ceil(prompt_tokens / run_tokens) + output_tokens - 1
    wanted = prompt_tokens + output_tokens - 1
    return runs * run_tokens / wanted - 1
