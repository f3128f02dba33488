"""The engine's numbers as a Prometheus page, under vLLM's names with `nano:` in front.

What the engine counts is read off when the page is asked for; what only the server sees (times, ends) is counted here.
Names: https://docs.vllm.ai/en/latest/design/metrics.html
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from helpers.nano.answer import Answer
from helpers.nano.engine import Engine

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BOUNDS_TOKENS = (1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0)


class Histogram:
    """Counts by upper bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, help_text: str, model: str) -> HistogramMetricFamily:
        """In Prometheus' form: cumulative buckets."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family = HistogramMetricFamily(f"nano:{name}", help_text, labels=("model_name",))
        family.add_metric((model,), buckets, self._sum)
        return family


class Metrics(Collector):
    """What /metrics shows."""

    def __init__(self, engine: Engine, model: str) -> None:
        self._engine = engine
        self._model = model
        self._ends: Counter[str] = Counter()
        self._first = Histogram(BOUNDS_S)
        self._gap = Histogram(BOUNDS_S)
        self._whole = Histogram(BOUNDS_S)
        self._decode = Histogram(BOUNDS_S)
        self._step = Histogram(BOUNDS_TOKENS)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def note_step(self, tokens: int) -> None:
        """Count a step of the engine that computed so many tokens."""
        self._step.observe(tokens)

    def note_end(self, answer: Answer, reason: str) -> None:
        """Count a request that has ended: by `stop`, `length`, `abort` or `error`."""
        self._ends[reason] += 1
        if answer.first_s is None:
            return
        self._first.observe(answer.first_s - answer.asked_s)
        self._whole.observe(answer.last_s - answer.asked_s)
        self._decode.observe(answer.last_s - answer.first_s)
        if answer.tokens > 1:
            self._gap.observe((answer.last_s - answer.first_s) / (answer.tokens - 1))

    def page(self) -> bytes:
        """The page, now."""
        return generate_latest(self._registry)

    def collect(self) -> "Iterator[Metric]":
        """prometheus_client: everything, now."""
        scheduler, counters = self._engine.scheduler, self._engine.counters
        yield self._gauge("num_requests_running", "Requests in the batch", len(scheduler.running))
        yield self._gauge("num_requests_waiting", "Requests that wait for a place", len(scheduler.waiting))
        yield self._gauge("kv_cache_usage_perc", "Share of the KV blocks in use, 0 to 1", scheduler.blocks.usage)
        for name, help_text, value in (
            ("prompt_tokens", "Prompt tokens, computed or found in the cache", counters.prompt_tokens),
            ("prompt_tokens_cached", "Prompt tokens found in the prefix cache", counters.cached_tokens),
            ("generation_tokens", "Tokens generated", counters.generated_tokens),
            ("prefix_cache_queries", "Tokens looked up in the prefix cache", counters.prompt_tokens),
            ("prefix_cache_hits", "Tokens found in it", counters.cached_tokens),
            ("num_preemptions", "Requests that lost their blocks and are computed again", counters.preemptions),
            ("spec_decode_num_drafts", "Verifications of proposals", counters.drafts),
            ("spec_decode_num_draft_tokens", "Tokens proposed", counters.draft_tokens),
            ("spec_decode_num_accepted_tokens", "Proposals that were kept", counters.accepted_tokens),
            ("padding_tokens", "Positions computed for nothing (static batching)", counters.padding_tokens),
        ):
            yield self._counter(name, help_text, value)
        ends = CounterMetricFamily("nano:request_success", "Ended requests", labels=("model_name", "finished_reason"))
        for reason, count in list(self._ends.items()):
            ends.add_metric((self._model, reason), count)
        yield ends
        for name, help_text, histogram in (
            ("time_to_first_token_seconds", "From the request to its first token", self._first),
            ("time_per_output_token_seconds", "Per request: decoding by tokens after the first", self._gap),
            ("e2e_request_latency_seconds", "From the request to its last token", self._whole),
            ("request_decode_time_seconds", "From the first to the last token", self._decode),
            ("iteration_tokens_total", "Tokens computed in a step", self._step),
        ):
            yield histogram.family(name, help_text, self._model)

    def _gauge(self, name: str, help_text: str, value: float) -> "Metric":
        family = GaugeMetricFamily(f"nano:{name}", help_text, labels=("model_name",))
        family.add_metric((self._model,), value)
        return family

    def _counter(self, name: str, help_text: str, value: float) -> "Metric":
        family = CounterMetricFamily(f"nano:{name}", help_text, labels=("model_name",))
        family.add_metric((self._model,), value)
        return family
