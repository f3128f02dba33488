"""You rounded down: after so many requests a part of the build is still unpaid."""


def break_even_requests(build_s: float, prompt_tokens: int, eager_rate: float, built_rate: float) -> int | None:
    saved_s = prompt_tokens / eager_rate - prompt_tokens / built_rate
    return int(build_s / saved_s) if saved_s > 0 else None
