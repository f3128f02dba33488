"""What a run's records say: latencies, rates, goodput, acceptance. Pure functions from records to numbers.

Only requests that succeeded enter the latencies and the token counts; failed ones are counted as errors. Tokens
come from the server's `usage`; where one successful request lacks a count, the rate that needs it is None, because
a partial sum would read as a slower engine. `DEFINITIONS` says each figure in words; reports print them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from helpers.client.records import RequestRecord

DEFINITIONS = {
    "ttft_s": "Time to first token: from sending the request to the first chunk with content or reasoning.",
    "itl_s": "Inter-token latency: every gap between two consecutive chunks, pooled over all requests. "
    "Gaps inside one socket read show the client's reading, not the engine's writing: such reads are noted.",
    "tpot_s": "Time per output token, one value a request: (end of the answer - first chunk) / (output tokens - 1).",
    "e2e_s": "End to end: from sending the request to the end of its response.",
    "queue_s": "Client queue: from the moment the load shape wanted the request sent to the moment it was sent.",
    "output_tokens_per_s": "Output tokens of all successful requests / duration, over all streams together.",
    "input_tokens_per_s": "Prompt tokens of all successful requests / duration (tokens from a prefix cache included).",
    "requests_per_s": "Successful requests / duration.",
    "duration_s": "From the first request sent to the last response ended, ramp-up and drain included.",
    "steady_output_tokens_per_s": "Output tokens that arrived in the steady window / its length. The window runs from "
    "the first to the last moment at which as many requests as at the peak were in flight.",
    "peak_in_flight": "Most requests sent and not yet ended at any one moment.",
    "goodput_per_s": "Successful requests that met every bound of the stated objective / duration.",
    "acceptance_length": "Tokens emitted per forward pass of the target model while decoding: 1 without speculation.",
    "acceptance_rate": "Draft tokens that verification kept / draft tokens proposed.",
    "percentiles": "p50, p90, p99 interpolate linearly between the two nearest samples (Hyndman and Fan, type 7).",
}
"""Figure -> its definition in words, for reports."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Mean and percentiles of one figure, in that figure's unit."""

    mean: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Distribution | None":
        """Summarize values; None if there are none.

        Percentiles interpolate linearly between order statistics: Hyndman and Fan, "Sample quantiles in statistical
        packages" (1996), type 7, NumPy's default.
        """
        import numpy as np

        sample = np.fromiter(values, dtype=np.float64)
        if not sample.size:
            return None
        p50, p90, p99 = np.percentile(sample, (50, 90, 99))
        return cls(float(sample.mean()), float(p50), float(p90), float(p99))


@dataclass(frozen=True, slots=True)
class Objective:
    """A service-level objective: upper bounds in seconds; None where there is no bound."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    def met_by(self, record: RequestRecord) -> bool:
        """True if the request succeeded and every bound holds; a bound on a figure it does not have fails."""
        bounds = ((self.ttft_s, record.ttft_s), (self.tpot_s, record.tpot_s), (self.e2e_s, record.e2e_s))
        return record.ok and all(bound is None or (value is not None and value <= bound) for bound, value in bounds)


@dataclass(frozen=True, slots=True)
class Metrics:
    """One run in figures; `DEFINITIONS` has the words. None where there was nothing to compute from."""

    requests: int
    errors: int
    peak_in_flight: int
    duration_s: float
    ttft_s: Distribution | None
    tpot_s: Distribution | None
    itl_s: Distribution | None
    e2e_s: Distribution | None
    queue_s: Distribution | None
    output_tokens: int | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens_per_s: float | None
    input_tokens_per_s: float | None
    requests_per_s: float | None
    steady_output_tokens_per_s: float | None
    goodput_per_s: float | None
    acceptance_length: float | None
    acceptance_rate: float | None
    coalesced_share: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Metrics":
        """Rebuild from `to_json`'s dictionary.

        Raises:
            TypeError: a figure is missing or unknown.
        """
        nested = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_s")
        distributions = {name: Distribution(**value[name]) if value.get(name) else None for name in nested}
        return cls(**{**value, **distributions})


def summarize(records: Sequence[RequestRecord], objective: Objective | None = None) -> Metrics:
    """Compute every figure of a run from its records (warm-up requests left out by the caller)."""
    answered = [record for record in records if record.ok]
    duration_s = span_s(records)
    gaps = [gap for record in answered for gap in record.gaps_s]
    output_tokens = _total(record.usage.output_tokens for record in answered)
    input_tokens = _total(record.usage.prompt_tokens for record in answered)
    acceptance_length, acceptance_rate = acceptance(answered)
    good = sum(objective.met_by(record) for record in answered) if objective else None
    return Metrics(
        requests=len(records),
        errors=len(records) - len(answered),
        peak_in_flight=peak_in_flight(records),
        duration_s=duration_s,
        ttft_s=Distribution.of(_known(record.ttft_s for record in answered)),
        tpot_s=Distribution.of(_known(record.tpot_s for record in answered)),
        itl_s=Distribution.of(gaps),
        e2e_s=Distribution.of(_known(record.e2e_s for record in answered)),
        queue_s=Distribution.of(r.sent_s - r.scheduled_s for r in records if r.sent_s is not None),
        output_tokens=output_tokens,
        input_tokens=input_tokens,
        cached_tokens=_total(record.usage.cached_tokens for record in answered),
        output_tokens_per_s=_rate(output_tokens, duration_s),
        input_tokens_per_s=_rate(input_tokens, duration_s),
        requests_per_s=_rate(len(answered), duration_s),
        steady_output_tokens_per_s=steady_output_tokens_per_s(records),
        goodput_per_s=_rate(good, duration_s),
        acceptance_length=acceptance_length,
        acceptance_rate=acceptance_rate,
        coalesced_share=sum(record.coalesced_chunks for record in answered) / len(gaps) if gaps else 0.0,
    )


def span_s(records: Sequence[RequestRecord]) -> float:
    """Seconds from the first request sent to the last response ended; 0 if nothing was sent and ended."""
    sent = [record.sent_s for record in records if record.sent_s is not None]
    done = [record.done_s for record in records if record.done_s is not None]
    return max(done) - min(sent) if sent and done else 0.0


def in_flight(records: Sequence[RequestRecord]) -> list[tuple[float, int]]:
    """How many requests were in flight over time: (seconds, count from then on), in order.

    A response that ends at the instant another request is sent ends first: the closed loop sends the next one
    because the last one ended.
    """
    changes = [(record.sent_s, 1) for record in records if record.sent_s is not None]
    changes += [(r.done_s, -1) for r in records if r.sent_s is not None and r.done_s is not None]
    steps, count = [], 0
    for time_s, change in sorted(changes):
        count += change
        steps.append((time_s, count))
    return steps


def peak_in_flight(records: Sequence[RequestRecord]) -> int:
    """The most requests in flight at any one moment."""
    return max((count for _, count in in_flight(records)), default=0)


def steady_window(records: Sequence[RequestRecord]) -> tuple[float, float] | None:
    """(start, end) in seconds of the time at full load: ramp-up and drain left out.

    It runs from the first moment the peak number of requests was in flight to the end of the last such moment.
    None if the load never stood at its peak for any time.
    """
    steps = in_flight(records)
    peak = max((count for _, count in steps), default=0)
    full = [index for index, (_, count) in enumerate(steps) if count == peak and index + 1 < len(steps)]
    if not full:
        return None
    start_s, end_s = steps[full[0]][0], steps[full[-1] + 1][0]
    return (start_s, end_s) if end_s > start_s else None


def steady_output_tokens_per_s(records: Sequence[RequestRecord]) -> float | None:
    """Output tokens per second inside the steady window; each chunk counts as its request's mean tokens a chunk."""
    window = steady_window(records)
    answered = [record for record in records if record.ok and record.chunk_s]
    if window is None or not answered:
        return None
    start_s, end_s = window
    tokens = 0.0
    for record in answered:
        if record.usage.output_tokens is None:
            return None
        inside = sum(start_s <= time_s < end_s for time_s in record.chunk_s)
        tokens += record.usage.output_tokens * inside / len(record.chunk_s)
    return tokens / (end_s - start_s)


def acceptance(records: Sequence[RequestRecord]) -> tuple[float | None, float | None]:
    """(acceptance length, acceptance rate) of speculative decoding, from the servers' draft counts.

    Prefill emits the first token; each later pass of the target emits the draft tokens it kept and one of its own,
    so passes = (output tokens - 1) - accepted, and the length is (output tokens - 1) / passes: the same quantity as
    vLLM's 1 + accepted / drafts and SGLang's spec_accept_length. (None, None) if no request reports drafts.
    """
    emitted = accepted = drafted = 0
    for record in records:
        usage = record.usage
        if not record.ok or usage.output_tokens is None or usage.draft_tokens is None or usage.accepted_tokens is None:
            continue
        emitted += max(usage.output_tokens - 1, 0)
        accepted += usage.accepted_tokens
        drafted += usage.draft_tokens
    if not drafted:
        return None, None
    passes = emitted - accepted
    return (emitted / passes if passes > 0 else None), accepted / drafted


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _total(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _rate(count: int | None, duration_s: float) -> float | None:
    return count / duration_s if count is not None and duration_s > 0 else None
