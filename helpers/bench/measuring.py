"""How runs are made: warm-up, repeats, interleaving, keeping records as they end.

Repeats of several servers are interleaved, in alternating order, so that the machine's slow minutes fall on all of
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from helpers.bench.arrivals import Arrivals, ClosedLoop, Replay
from helpers.bench.bundle import BundleWriter
from helpers.bench.calibrate import cached_client_error
from helpers.bench.drive import drive
from helpers.bench.provenance import read_provenance
from helpers.bench.run import Run
from helpers.bench.target import Served, Target, as_server, find_target
from helpers.bench.tokens import TokenCounter, find_tokens
from helpers.bench.workloads import Prompt, Workload, make_prompts
from helpers.client.records import RequestRecord
from helpers.client.wire import Endpoint
from helpers.engines import lease
from helpers.errors import CourseError, UsageError

OPEN_LOOP_WARMUP = 4
"""Warm-up requests of an open loop: enough for the engine's first-time work, few enough to be quick."""

FEWEST_REQUESTS, OPEN_LOOP_S = 16, 10.0
"""Where the number of requests is left open: at least so many, and at a rate enough for so long."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a measurement is; handed to the progress callback several times a second, in the caller's thread.

    Attributes:
        label: of the run; phase: warm-up, or which repeat.
        done, errors, total: requests of this phase.
        records: those of this phase that have ended, in order.
    """

    label: str
    phase: str
    done: int
    errors: int
    total: int
    elapsed_s: float
    records: Sequence[RequestRecord]


OnProgress = Callable[[Progress], None]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a measurement; `runs` has what had finished, `str()` says where it is."""

    def __init__(self, message: str, runs: Sequence[Run]) -> None:
        super().__init__(message)
        self.runs = tuple(runs)


@dataclass(frozen=True)
class Plan:
    """What is the same for all points."""

    workload: Workload
    requests: int | None
    warmup: int | None
    repeats: int
    timeout_s: float
    seed: int
    progress: OnProgress | None

    def __post_init__(self) -> None:
        if self.repeats < 1 or (self.requests is not None and self.requests < 1) or (self.warmup or 0) < 0:
            raise UsageError("requests and repeats must be at least 1, and warmup at least 0")

    def requests_at(self, arrivals: Arrivals) -> int:
        """How many requests each repeat of this load has."""
        if self.requests is not None:
            return self.requests
        if isinstance(arrivals, ClosedLoop):
            return max(FEWEST_REQUESTS, 4 * arrivals.concurrency)
        if isinstance(arrivals, Replay):
            return len(arrivals.trace_s)
        rate_per_s = getattr(arrivals, "rate_per_s", 0.0)
        return max(FEWEST_REQUESTS, round(OPEN_LOOP_S * rate_per_s))

    def warmup_at(self, arrivals: Arrivals) -> int:
        """How many requests go before them, unkept."""
        if self.warmup is not None:
            return self.warmup
        streams = arrivals.concurrency if isinstance(arrivals, ClosedLoop) else OPEN_LOOP_WARMUP
        return min(streams, self.requests_at(arrivals))


@dataclass(frozen=True)
class Side:
    """One point to be measured."""

    server: Served | str
    label: str
    arrivals: Arrivals
    model: str = ""
    api_key: str = ""


_handed_out: dict[int, int] = {}
"""Workload seed -> prompts made from it so far in this process: the next run goes on there, so that no server sees
a prompt twice by accident."""


def _take_numbers(workload: Workload, count: int) -> int:
    if workload.given:
        return 0
    start = _handed_out.get(workload.seed, 0)
    _handed_out[workload.seed] = start + count
    return start


class Measuring:
    """One point while it is measured."""

    def __init__(
        self,
        side: Side,
        server: Served,
        target: Target,
        tokens: TokenCounter,
        plan: Plan,
        provenance: dict[str, Any],
    ) -> None:
        self.side, self.server, self.target, self.tokens, self.plan = side, server, target, tokens, plan
        self.requests = plan.requests_at(side.arrivals)
        self.repeats: list[list[RequestRecord]] = []
        self.counters: dict[str, dict[str, float]] = {}
        self.remarks = [tokens.note] if tokens.note and not plan.workload.given else []
        if plan.workload.fixed_output and not target.fixed_output:
            self.remarks.append("the server refuses ignore_eos: answers may end before the length asked for")
        self.provenance = provenance

    def prompts(self, count: int) -> list[Prompt]:
        """The next prompts of the workload; inexact ones earn a remark."""
        workload = self.plan.workload
        prompts = make_prompts(workload, self.tokens, _take_numbers(workload, count), count)
        wanted = set(workload.input_tokens)
        inexact = sum(prompt.input_tokens not in wanted for prompt in prompts) if wanted else 0
        remark = f"{inexact} of {count} prompts could not be made exactly as long as asked for"
        if inexact and remark not in self.remarks:
            self.remarks.append(remark)
        return prompts

    def load(self, prompts: Sequence[Prompt], phase: str, keep: Callable[[RequestRecord], None] | None) -> None:
        """Put the prompts on the server; `keep` None: a warm-up."""
        records: list[RequestRecord] = []
        begun_s = perf_counter()
        if keep is not None:
            self.repeats.append(records)

        def on_record(record: RequestRecord) -> None:
            records.append(record)
            if keep is not None:
                keep(record)

        def on_tick() -> None:
            if self.plan.progress is not None:
                ended = tuple(records)
                errors = sum(not record.ok for record in ended)
                elapsed_s = perf_counter() - begun_s
                self.plan.progress(Progress(self.side.label, phase, len(ended), errors, len(prompts), elapsed_s, ended))

        drive(
            self.target,
            self.plan.workload,
            prompts,
            self.side.arrivals,
            ids=f"{self.side.label}-{phase}".replace(" ", "-"),
            seed=self.plan.seed + len(self.repeats),
            timeout_s=self.plan.timeout_s,
            on_record=on_record,
            on_tick=on_tick,
        )
        on_tick()

    def count(self, moment: str) -> None:
        """Read the server's own metrics, if it has any."""
        metrics = getattr(self.server, "metrics", None)
        if not callable(metrics):
            return
        try:
            self.counters[moment] = metrics()
        except CourseError as error:
            # The engine has died: that must not take the records with it.
            self.remarks.append(" ".join(str(error).split()))

    def run(self, client_error: dict[str, Any] | None, complete: bool) -> Run:
        """What there is so far, as a value."""
        return Run(
            label=self.side.label,
            target=self.target,
            workload=self.plan.workload,
            arrivals=self.side.arrivals,
            requests=self.requests,
            repeats=tuple(tuple(repeat) for repeat in self.repeats),
            provenance=self.provenance,
            counters=dict(self.counters),
            client_error=client_error,
            remarks=tuple(self.remarks),
            complete=complete,
        )


def run_all(
    sides: Sequence[Side],
    plan: Plan,
    out: Path | None,
    kind: str,
    stop: Callable[[Sequence[Run]], bool] | None = None,
) -> list[Run]:
    """Measure the sides: a comparison's interleaved, others one after the other until `stop`.

    On a machine with a GPU, which several people may share, it waits until it has the machine to itself.
    """
    with lease.measuring(f"{kind}: {sides[0].label}"):
        return _run_all(sides, plan, out, kind, stop)


def _run_all(
    sides: Sequence[Side],
    plan: Plan,
    out: Path | None,
    kind: str,
    stop: Callable[[Sequence[Run]], bool] | None,
) -> list[Run]:
    provenance = read_provenance(plan.seed)
    client_error = cached_client_error()
    # All at the start: a server that dies later costs its own requests, and nothing that was measured before.
    measuring = _prepare(sides, plan, provenance)
    for one in measuring:
        one.remarks += lease.foreign(other.target.url for other in measuring)
    groups = [measuring] if kind == "comparison" else [[one] for one in measuring]
    runs: list[Run] = []
    with BundleWriter(out, kind, provenance, client_error) as writer:
        for group in groups:
            first = len(runs)
            try:
                for point, one in enumerate(group, start=first):
                    writer.put(point, one.run(client_error, complete=False))
                _interleave(group, plan, writer, first)
            except KeyboardInterrupt as error:
                runs.extend(one.run(client_error, complete=False) for one in group)
                ended = sum(len(run.records) for run in runs)
                place = f"in {out}" if out is not None else "in this error's .runs"
                raise Interrupted(f"stopped: {ended} requests had ended and are kept {place}", runs) from error
            else:
                runs.extend(one.run(client_error, complete=True) for one in group)
            finally:
                for point, run in enumerate(runs[first:], start=first):
                    writer.put(point, run)
            if stop is not None and stop(runs):
                break
    if writer.failure:
        runs = [replace(run, remarks=(*run.remarks, writer.failure)) for run in runs]
    return runs


def _prepare(sides: Sequence[Side], plan: Plan, provenance: dict[str, Any]) -> list[Measuring]:
    known: dict[int | str, tuple[Served, Target, TokenCounter]] = {}
    measuring = []
    for side in sides:
        key = side.server if isinstance(side.server, str) else id(side.server)
        if key not in known:
            server = as_server(side.server, model=side.model, api_key=side.api_key)
            target = find_target(server, api_key=side.api_key)
            known[key] = server, target, find_tokens(Endpoint.parse(target.url), target.model, target.api_key)
        measuring.append(Measuring(side, *known[key], plan, provenance))
    return measuring


def _interleave(measuring: Sequence[Measuring], plan: Plan, writer: BundleWriter, first_point: int) -> None:
    for one in measuring:
        warmup = plan.warmup_at(one.side.arrivals)
        if warmup:
            one.load(one.prompts(warmup), "warm-up", None)
        one.count("before")
    for repeat in range(plan.repeats):
        # One set of prompts for all sides: a comparison must not compare two sets of words.
        prompts = measuring[0].prompts(measuring[0].requests)
        order = list(enumerate(measuring, start=first_point))
        for point, one in order if repeat % 2 == 0 else reversed(order):
            keep = _keeper(writer, point, repeat)
            one.load(prompts, f"repeat {repeat + 1} of {plan.repeats}", keep)
    for one in measuring:
        one.count("after")


def _keeper(writer: BundleWriter, point: int, repeat: int) -> Callable[[RequestRecord], None]:
    return lambda record: writer.add(point, repeat, record)
