"""You counted parts of runs. A fixed shape is computed whole or not at all."""


def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    runs = prompt_tokens / run_tokens + output_tokens - 1
    return 1 - (prompt_tokens + output_tokens - 1) / (runs * run_tokens)
