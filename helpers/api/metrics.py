"""Prometheus metrics: counted in plain numbers while requests run, put into Prometheus' form when they are asked for.

| metric | labels |
|---|---|
| gateway_requests_total | api, model, upstream, key, outcome |
| gateway_tokens_total | model, key, kind (prompt, cached, output) |
| gateway_ttft_seconds, gateway_itl_seconds, gateway_e2e_seconds (histograms) | model, upstream |
| gateway_in_flight, gateway_waiting, gateway_running, gateway_draining | |
| gateway_upstream_up, gateway_upstream_in_flight | upstream |
| gateway_upstream_failures_total | upstream, cause |
| gateway_usage_rows_lost_total, gateway_usage_rows_pending | |

TTFT is from a request's arrival at the gateway to the first piece of its stream; ITL are the gaps between pieces, as
passed on, all streams together; end to end is to the last byte.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from helpers.api.calls import GAP_BOUNDS_S, Call

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from helpers.api.state import State

TTFT_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
E2E_BOUNDS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Histogram:
    """Counts by upper bound, for one set of labels."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds

    def add(self, counts: Sequence[int], sum_s: float) -> None:
        """Count values that were sorted before."""
        for number, count in enumerate(counts):
            self.counts[number] += count
        self.sum_s += sum_s

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus' cumulative buckets."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, self.bounds_s), "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class Metrics(Collector):
    """The gateway's numbers; `registry` is what /metrics shows."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._tokens: Counter[tuple[str, ...]] = Counter()
        self._failures: Counter[tuple[str, ...]] = Counter()
        self._ttft: dict[tuple[str, ...], Histogram] = {}
        self._itl: dict[tuple[str, ...], Histogram] = {}
        self._e2e: dict[tuple[str, ...], Histogram] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def note(self, call: Call) -> None:
        """Count a request that has ended."""
        self._requests[call.api, call.model, call.upstream, call.key, call.outcome] += 1
        labels = (call.model, call.upstream)
        if call.first_s is not None:
            _of(self._e2e, labels, E2E_BOUNDS_S).observe(call.ended_s - call.started_s)
            if call.gap_counts is not None:
                _of(self._ttft, labels, TTFT_BOUNDS_S).observe(call.first_s - call.started_s)
                _of(self._itl, labels, GAP_BOUNDS_S).add(call.gap_counts, call.gap_sum_s)
        if call.prompt_tokens or call.output_tokens:
            self._tokens[call.model, call.key, "prompt"] += call.prompt_tokens
            self._tokens[call.model, call.key, "cached"] += call.cached_tokens
            self._tokens[call.model, call.key, "output"] += call.output_tokens

    def note_upstream_failure(self, upstream: str, cause: str) -> None:
        """Count a failure of an upstream, whether or not another one took over."""
        self._failures[upstream, cause] += 1

    def collect(self) -> "Iterator[Metric]":
        """prometheus_client: everything, now."""
        state = self._state
        yield _counter(
            "requests", "Requests that have ended", ("api", "model", "upstream", "key", "outcome"), self._requests
        )
        yield _counter("tokens", "Tokens accounted", ("model", "key", "kind"), self._tokens)
        yield _counter("upstream_failures", "Failures of upstreams", ("upstream", "cause"), self._failures)
        lost: dict[tuple[str, ...], int] = {(): state.ledger.lost_rows}
        yield _counter("usage_rows_lost", "Usage rows that could not be kept", (), lost)
        for name, help_text, histograms in (
            ("ttft", "Arrival to first piece of a stream", self._ttft),
            ("itl", "Gaps between pieces of streams", self._itl),
            ("e2e", "Arrival to last byte", self._e2e),
        ):
            family = HistogramMetricFamily(f"gateway_{name}_seconds", help_text, labels=("model", "upstream"))
            for labels, histogram in list(histograms.items()):
                family.add_metric(labels, histogram.buckets(), histogram.sum_s)
            yield family
        yield GaugeMetricFamily("gateway_running", "Requests being handled", state.running)
        yield GaugeMetricFamily("gateway_in_flight", "Requests that have a place", state.queue.in_flight)
        yield GaugeMetricFamily("gateway_waiting", "Requests that wait for a place", state.queue.waiting)
        yield GaugeMetricFamily("gateway_draining", "1 after SIGTERM", float(state.draining))
        yield GaugeMetricFamily("gateway_usage_rows_pending", "Usage rows not yet written", state.ledger.pending_rows)
        up = GaugeMetricFamily("gateway_upstream_up", "1 if it answers", labels=("upstream",))
        busy = GaugeMetricFamily("gateway_upstream_in_flight", "Requests at it", labels=("upstream",))
        for target in state.router.targets:
            up.add_metric((target.name,), float(target.alive))
            busy.add_metric((target.name,), target.in_flight)
        yield from (up, busy)


def _of(histograms: dict[tuple[str, ...], Histogram], labels: tuple[str, ...], bounds_s: Sequence[float]) -> Histogram:
    histogram = histograms.get(labels)
    if histogram is None:
        histogram = histograms[labels] = Histogram(bounds_s)
    return histogram


def _counter(
    name: str, help_text: str, labels: Sequence[str], counts: "dict[tuple[str, ...], int] | Counter[tuple[str, ...]]"
) -> "Metric":
    family = CounterMetricFamily(f"gateway_{name}", help_text, labels=labels)
    for values, count in list(counts.items()):
        family.add_metric(values, count)
    return family
