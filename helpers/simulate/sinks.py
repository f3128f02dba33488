"""What is kept of a simulation: every request's record, or figures in bounded memory."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from helpers.bench.metrics import Distribution, Metrics, Objective
from helpers.client.records import RequestRecord, Usage
from helpers.nano.request import Request

Times = NDArray[np.float64]


class Sink(Protocol):
    """Told what happens, in the order of the clock."""

    def sent(self, request: Request, now_s: float) -> None:
        """A request was sent."""

    def token(self, request: Request, now_s: float) -> None:
        """One chunk of an answer arrived."""

    def tokens(self, requests: Sequence[Request], times_s: Times) -> None:
        """A chunk of each of these answers arrived at each of these times."""

    def ended(self, request: Request, now_s: float) -> None:
        """An answer ended."""


class Records:
    """Keeps a `RequestRecord` of each request, like the measuring client's."""

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []
        self._open: dict[Request, RequestRecord] = {}

    def sent(self, request: Request, now_s: float) -> None:
        """Begin its record."""
        record = RequestRecord(request.request_id, scheduled_s=now_s, sent_s=now_s, status=200)
        self._open[request] = record
        self.records.append(record)

    def token(self, request: Request, now_s: float) -> None:
        """Note the time."""
        self._open[request].chunk_s.append(now_s)

    def tokens(self, requests: Sequence[Request], times_s: Times) -> None:
        """Note the times."""
        times = times_s.tolist()
        for request in requests:
            self._open[request].chunk_s.extend(times)

    def ended(self, request: Request, now_s: float) -> None:
        """Complete the record."""
        record = self._open.pop(request)
        record.done_s = now_s
        record.finish_reason = request.finish_reason or ""
        record.usage = Usage(
            prompt_tokens=request.prompt_tokens,
            output_tokens=request.output_tokens,
            cached_tokens=request.cached_tokens,
            draft_tokens=request.draft_tokens or None,
            accepted_tokens=request.accepted_tokens if request.draft_tokens else None,
        )


class Figures:
    """Counts and histograms only: the memory does not grow with the number of requests.

    Percentiles are those of `helpers.bench.metrics` up to a bin's width, 0.7 %. The steady rate is not known.
    """

    def __init__(self, objective: Objective | None = None) -> None:
        self.objective = objective
        self.ttft, self.tpot, self.itl, self.e2e = Histogram(), Histogram(), Histogram(), Histogram()
        self.good = 0
        self._open: dict[Request, list[float]] = {}  # sent, first chunk, last chunk
        self._requests = self._peak = self._output = self._input = self._cached = 0
        self._drafted = self._accepted = 0
        self._first_s: float | None = None
        self._last_s = 0.0

    def sent(self, request: Request, now_s: float) -> None:
        """Count it."""
        self._first_s = now_s if self._first_s is None else self._first_s
        self._open[request] = [now_s, 0.0, 0.0]
        self._requests += 1
        self._peak = max(self._peak, len(self._open))

    def token(self, request: Request, now_s: float) -> None:
        """Count the wait for it."""
        times = self._open[request]
        if times[2]:
            self.itl.add(now_s - times[2])
        else:
            times[1] = now_s
        times[2] = now_s

    def tokens(self, requests: Sequence[Request], times_s: Times) -> None:
        """Count the waits for them: the first from each one's last chunk, the others alike for all."""
        first_s, last_s = float(times_s[0]), float(times_s[-1])
        for request in requests:
            times = self._open[request]
            self.itl.add(first_s - times[2])
            times[2] = last_s
        self.itl.add_many(np.diff(times_s), len(requests))

    def ended(self, request: Request, now_s: float) -> None:
        """Count its latencies and tokens."""
        sent_s, first_s, last_s = self._open.pop(request)
        ttft_s, e2e_s, tpot_s = first_s - sent_s, now_s - sent_s, None
        self.ttft.add(ttft_s)
        self.e2e.add(e2e_s)
        if request.output_tokens > 1:
            tpot_s = (last_s - first_s) / (request.output_tokens - 1)
            self.tpot.add(tpot_s)
        if self.objective is not None:
            bounds = (self.objective.ttft_s, self.objective.tpot_s, self.objective.e2e_s)
            # An answer of one token has no TPOT to miss.
            self.good += all(
                bound is None or value is None or value <= bound
                for bound, value in zip(bounds, (ttft_s, tpot_s, e2e_s), strict=True)
            )
        self._output += request.output_tokens
        self._input += request.prompt_tokens
        self._cached += request.cached_tokens
        self._drafted += request.draft_tokens
        self._accepted += request.accepted_tokens
        self._last_s = now_s

    def metrics(self) -> Metrics:
        """The figures, as a measured run's."""
        duration_s = self._last_s - (self._first_s or 0.0)
        ended = self.e2e.count

        def rate(count: float) -> float | None:
            return count / duration_s if duration_s > 0 else None

        passes = self._output - ended - self._accepted
        return Metrics(
            requests=self._requests,
            errors=self._requests - ended,
            peak_in_flight=self._peak,
            duration_s=duration_s,
            ttft_s=self.ttft.distribution(),
            tpot_s=self.tpot.distribution(),
            itl_s=self.itl.distribution(),
            e2e_s=self.e2e.distribution(),
            queue_s=None,
            output_tokens=self._output,
            input_tokens=self._input,
            cached_tokens=self._cached,
            output_tokens_per_s=rate(self._output),
            input_tokens_per_s=rate(self._input),
            requests_per_s=rate(ended),
            steady_output_tokens_per_s=None,
            goodput_per_s=rate(self.good) if self.objective else None,
            acceptance_length=(self._output - ended) / passes if self._drafted and passes > 0 else None,
            acceptance_rate=self._accepted / self._drafted if self._drafted else None,
            coalesced_share=0.0,
        )


class Histogram:
    """Positive values in logarithmic bins, 4,096 of them from 0.1 microseconds to 28 hours: each 0.7 % wide."""

    LOW_S, HIGH_S, BINS, BUFFER = 1e-7, 1e5, 4096, 512

    def __init__(self) -> None:
        self._counts = np.zeros(self.BINS, dtype=np.int64)
        self._buffer: list[float] = []
        self._sum = 0.0
        self._scale = self.BINS / np.log(self.HIGH_S / self.LOW_S)

    @property
    def count(self) -> int:
        """How many values."""
        return int(self._counts.sum()) + len(self._buffer)

    def add(self, value: float) -> None:
        """Count one value."""
        self._buffer.append(value)
        if len(self._buffer) >= self.BUFFER:
            self._flush()

    def add_many(self, values: Times, times: int) -> None:
        """Count each of these values that many times."""
        if not values.size:
            return
        bins = ((np.log(np.maximum(values, self.LOW_S)) - np.log(self.LOW_S)) * self._scale).astype(np.int64)
        self._counts += np.bincount(np.minimum(bins, self.BINS - 1), minlength=self.BINS) * times
        self._sum += float(values.sum()) * times

    def distribution(self) -> Distribution | None:
        """Mean (exact) and percentiles (a bin's middle); None if there is no value."""
        self._flush()
        total = int(self._counts.sum())
        if not total:
            return None
        cumulated = np.cumsum(self._counts)
        ranks = [share * (total - 1) for share in (0.5, 0.9, 0.99)]
        p50, p90, p99 = (self._value(int(np.searchsorted(cumulated, rank, side="right"))) for rank in ranks)
        return Distribution(self._sum / total, p50, p90, p99)

    def _value(self, index: int) -> float:
        return float(self.LOW_S * np.exp((index + 0.5) / self._scale))

    def _flush(self) -> None:
        values, self._buffer = np.array(self._buffer), []
        self.add_many(values, 1)
