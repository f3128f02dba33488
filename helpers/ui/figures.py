"""What is measured of an answer, and how it is written down: the definitions are `helpers.bench.metrics`'s."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from helpers.bench.metrics import acceptance
from helpers.client.records import RequestRecord

BYTES_PER_TOKEN = 4
"""For estimates of what is being typed: about four bytes of English text a token."""

MOST_IN_ONE_READ = 8
"""Chunks an arrival, on average, beyond which their times are those of a buffer and not of the engine. Drafts that are
accepted come several at once."""


def measure(record: RequestRecord, zero_s: float) -> dict[str, Any]:
    """The figures of an answer, so far or whole; what is not known is left out.

    Args:
        record: its times count from `zero_s` on time.perf_counter.

    Returns:
        ttft_s, output_tokens, output_tokens_per_s (of decode: the engine's own where it tells, else from the chunks
        after the first, unless they came out of a buffer), acceptance_length, prompt_tokens,
        cached_tokens, e2e_s, and `counted`: whether the engine said the number of tokens, or chunks were counted.
    """
    usage, chunks = record.usage, record.chunk_s
    counted = usage.output_tokens is not None
    tokens = usage.output_tokens if usage.output_tokens is not None else len(chunks)
    found: dict[str, Any] = {
        "ttft_s": record.ttft_s,
        "output_tokens": tokens,
        "output_tokens_per_s": engine_rate(record.engine_timings) or seen_rate(tokens, chunks),
        "acceptance_length": acceptance([record])[0] if counted else live_acceptance(record.engine_timings),
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "e2e_s": (perf_counter() - zero_s) if record.done_s is None else record.done_s,
        "counted": counted,
    }
    return {name: value for name, value in found.items() if value is not None}


def engine_rate(timings: dict[str, Any]) -> float | None:
    """Tokens a second by llama.cpp's own clock; None where it does not say."""
    rate, tokens = timings.get("predicted_per_second"), timings.get("predicted_n")
    if not isinstance(rate, int | float) or not isinstance(tokens, int) or rate <= 0 or tokens < 2:
        return None
    return float(rate)


def seen_rate(tokens: int, chunks: Sequence[float]) -> float | None:
    """Tokens a second after the first chunk; None if the chunks' times do not say."""
    if tokens < 2 or len(set(chunks)) < max(2, len(chunks) / MOST_IN_ONE_READ):
        return None
    return (tokens - 1) / (chunks[-1] - chunks[0])


def live_acceptance(timings: dict[str, Any]) -> float | None:
    """Tokens emitted per forward pass so far, from llama.cpp's timings within a stream; None without speculation."""
    emitted, accepted = timings.get("predicted_n"), timings.get("draft_n_accepted")
    if not isinstance(emitted, int) or not isinstance(accepted, int) or emitted - 1 <= accepted:
        return None
    return (emitted - 1) / (emitted - 1 - accepted)


def describe(figures: dict[str, Any]) -> str:
    """One line under an answer."""
    parts = []
    if "ttft_s" in figures:
        parts.append(f"TTFT {seconds(figures['ttft_s'])}")
    if "output_tokens_per_s" in figures:
        parts.append(f"{figures['output_tokens_per_s']:.1f} tokens/s")
    if figures.get("output_tokens"):
        about = "" if figures.get("counted") else "about "
        parts.append(f"{about}{figures['output_tokens']} tokens")
    if "acceptance_length" in figures:
        parts.append(f"acceptance length {figures['acceptance_length']:.2f}")
    if figures.get("cached_tokens"):
        parts.append(f"{figures['cached_tokens']} of {figures.get('prompt_tokens', '?')} prompt tokens cached")
    return " · ".join(parts)


def seconds(value: float) -> str:
    """A time for people."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def size(count: float) -> str:
    """A number of bytes for people, in decimal units as Ollama shows them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def estimate_tokens(text: str) -> int:
    """About how many tokens a text will be."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
