"""You divided the longest prompt by its TTFT. The overhead (network, template, scheduling, the first sampling) is
still inside, so the rate comes out too low.
"""


def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    return {"overhead_s": 0.0, "tokens_per_s": prompt_tokens[-1] / ttft_s[-1]}
