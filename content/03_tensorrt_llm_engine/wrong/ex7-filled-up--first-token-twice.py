"""You gave the first new token a run of its own. It comes with the prompt's last run."""

import math


def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    runs = math.ceil(prompt_tokens / run_tokens) + output_tokens
    return 1 - (prompt_tokens + output_tokens) / (runs * run_tokens)
