"""What is measured of an answer, and how it is written down: the definitions are `helpers.bench.metrics`'s."""

from time import perf_counter
from typing import Any

from helpers.bench.metrics import acceptance
from helpers.client.records import RequestRecord

BYTES_PER_TOKEN = 4
"""For estimates of what is being typed: about four bytes of English text a token."""


def measure(record: RequestRecord, zero_s: float) -> dict[str, Any]:
    """The figures of an answer, so far or whole; what is not known is left out.

    Args:
        record: its times count from `zero_s` on time.perf_counter.

    Returns:
        ttft_s, output_tokens, output_tokens_per_s (after the first token), acceptance_length, prompt_tokens,
        cached_tokens, e2e_s, and `counted`: whether the engine said the number of tokens, or chunks were counted.
    """
    usage, chunks = record.usage, record.chunk_s
    counted = usage.output_tokens is not None
    tokens = usage.output_tokens if usage.output_tokens is not None else len(chunks)
    writing_s = chunks[-1] - chunks[0] if chunks else 0.0
    found: dict[str, Any] = {
        "ttft_s": record.ttft_s,
        "output_tokens": tokens,
        "output_tokens_per_s": (tokens - 1) / writing_s if tokens > 1 and writing_s > 0 else None,
        "acceptance_length": acceptance([record])[0] if counted else live_acceptance(record.engine_timings),
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "e2e_s": (perf_counter() - zero_s) if record.done_s is None else record.done_s,
        "counted": counted,
    }
    return {name: value for name, value in found.items() if value is not None}


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
