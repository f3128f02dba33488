"""You drew the line through the first and the last point. One unlucky measurement at either end then decides the
result; use all points.
"""


def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    slope = (ttft_s[-1] - ttft_s[0]) / (prompt_tokens[-1] - prompt_tokens[0])
    return {"overhead_s": ttft_s[0] - slope * prompt_tokens[0], "tokens_per_s": 1 / slope}
