"""`Run`: one server under one load, with everything that was recorded and everything that follows from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from helpers.bench import arrivals as shapes
from helpers.bench.arrivals import Arrivals, ClosedLoop
from helpers.bench.metrics import Metrics, span_s, summarize
from helpers.bench.target import Target
from helpers.bench.validity import Asked, Note, is_valid, judge
from helpers.bench.workloads import Workload
from helpers.client.records import RequestRecord
from helpers.errors import UsageError

Origin = Literal["measured", "recorded", "simulated"]


@dataclass(frozen=True)
class Run:
    """One point: a server, a workload, a load shape, and the records of each repeat.

    Attributes:
        label: what tells it from its neighbours in one table.
        repeats: records of each repeat; each repeat has a clock of its own.
        requests: asked for in each repeat.
        provenance: circumstances, see `helpers.bench.provenance`.
        counters: the server's own metrics before the first repeat and after the last; empty where it has none.
        client_error: the client's own error on this machine (`calibrate`); None if it was not measured.
        remarks: what the runner itself has to say, such as records that could not be written.
        complete: False if it was stopped before its end.
        origin: measured on this machine, recorded on another, or simulated.
        intervals: of a simulated run, figure (output_tokens_per_s, ttft_s.p50, ...) -> its 80 % interval.
        extrapolations: of a simulated run, where it leaves what was published.
        streamed: its figures, where the records of so many requests were not kept; else None.
    """

    label: str
    target: Target
    workload: Workload
    arrivals: Arrivals
    requests: int
    repeats: tuple[tuple[RequestRecord, ...], ...]
    provenance: dict[str, Any]
    counters: dict[str, dict[str, float]] = field(default_factory=dict)
    client_error: dict[str, Any] | None = None
    remarks: tuple[str, ...] = ()
    complete: bool = True
    origin: Origin = "measured"
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    extrapolations: tuple[str, ...] = ()
    streamed: Metrics | None = None

    @property
    def concurrency(self) -> int | None:
        """Requests that the load shape keeps in flight; None for an open loop."""
        return self.arrivals.concurrency if isinstance(self.arrivals, ClosedLoop) else None

    @cached_property
    def records(self) -> list[RequestRecord]:
        """All repeats' records on one clock, as if one had followed the other at once."""
        joined: list[RequestRecord] = []
        end_s = 0.0
        for number, repeat in enumerate(self.repeats):
            begin_s = min((record.sent_s for record in repeat if record.sent_s is not None), default=0.0)
            shift_s = end_s - begin_s if number else 0.0
            joined.extend(_shifted(record, shift_s) for record in repeat)
            end_s = begin_s + shift_s + span_s(repeat)
        return joined

    @cached_property
    def metrics(self) -> Metrics:
        """Figures over all repeats: latencies pooled, rates over the repeats' total duration."""
        if self.streamed is not None:
            return self.streamed
        metrics = summarize(self.records)
        steady = [each.steady_output_tokens_per_s for each in self.repeat_metrics]
        known = [value for value in steady if value is not None]
        return replace(metrics, steady_output_tokens_per_s=fmean(known) if known else None)

    @cached_property
    def repeat_metrics(self) -> list[Metrics]:
        """Figures of each repeat alone: the samples of confidence intervals."""
        if self.streamed is not None:
            return [self.streamed]
        return [summarize(repeat) for repeat in self.repeats]

    @cached_property
    def notes(self) -> list[Note]:
        """What marks this run: `helpers.bench.validity`, and the runner's own remarks."""
        fixed = self.workload.fixed_output and self.target.fixed_output and len(set(self.workload.output_tokens)) == 1
        hardware = self.provenance.get("hardware", {})
        asked = Asked(
            concurrency=self.concurrency,
            output_tokens=self.workload.output_tokens[0] if fixed else None,
            unique_prompts=self.workload.unique,
            load_average=self.provenance.get("load_average"),
            cores=hardware.get("cores"),
        )
        notes = judge(self.records, asked) if self.streamed is None else []
        notes.extend(Note("extrapolates", text) for text in self.extrapolations)
        notes.extend(Note("remark", remark) for remark in self.remarks)
        if not self.complete:
            notes.insert(0, Note("stopped", "the run was stopped before its end", invalidates=True))
        return notes

    @property
    def valid(self) -> bool:
        """False if a note says that the figures answer another question than the one asked."""
        return is_valid(self.notes)

    def point(self) -> dict[str, Any]:
        """The command contract's form of this run, with what it was added."""
        metrics = self.metrics.to_json()
        names = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "output_tokens_per_s", "input_tokens_per_s")
        return {
            "label": self.label,
            "engine": self.target.engine,
            "model": self.target.model,
            "precision": self.target.precision,
            "origin": self.origin,
            "concurrency": self.concurrency,
            "rate_per_s": getattr(self.arrivals, "rate_per_s", None),
            "requests": metrics["requests"],
            "errors": metrics["errors"],
            "peak_in_flight": metrics["peak_in_flight"],
            **{name: metrics[name] for name in names},
            "valid": self.valid,
            "notes": [note.text for note in self.notes],
            **({"intervals": self.intervals, "extrapolates": bool(self.extrapolations)} if self.intervals else {}),
        }

    def describe(self) -> dict[str, Any]:
        """All but the records, JSON-ready: what `summary.json` keeps of it."""
        return {
            **self.point(),
            "metrics": self.metrics.to_json(),
            "repeat_metrics": [metrics.to_json() for metrics in self.repeat_metrics],
            "marks": [asdict(note) for note in self.notes],
            "target": self.target.to_json(),
            "workload": self.workload.to_json(),
            "arrivals": shapes.to_json(self.arrivals),
            "requests_per_repeat": self.requests,
            "repeats": len(self.repeats),
            "counters": self.counters,
            "remarks": list(self.remarks),
            "complete": self.complete,
            **({"extrapolations": list(self.extrapolations)} if self.extrapolations else {}),
            **({"streamed": True} if self.streamed is not None else {}),
        }

    def save(self, folder: Path) -> None:
        """Keep it in a new folder; see `helpers.bench.bundle.save_bundle`."""
        from helpers.bench.bundle import save_bundle

        save_bundle(folder, "run", [self])

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """Read a bundle that holds one run; see `helpers.bench.bundle.load_bundle`.

        Raises:
            UsageError: it holds several.
        """
        from helpers.bench.bundle import load_bundle

        runs = load_bundle(folder).runs
        if len(runs) != 1:
            raise UsageError(f"{folder} holds {len(runs)} runs, not one", "", "read it with helpers.load_bundle")
        return runs[0]

    @classmethod
    def rebuild(
        cls,
        value: dict[str, Any],
        repeats: Sequence[Sequence[RequestRecord]],
        provenance: dict[str, Any],
        client_error: dict[str, Any] | None,
        origin: Origin,
    ) -> "Run":
        """From `describe`'s dictionary and the records; every figure is computed anew where records were kept."""
        return cls(
            label=value["label"],
            target=Target(**value["target"]),
            workload=Workload.from_json(value["workload"]),
            arrivals=shapes.from_json(value["arrivals"]),
            requests=value["requests_per_repeat"],
            repeats=tuple(tuple(repeat) for repeat in repeats),
            provenance=provenance,
            counters=value["counters"],
            client_error=client_error,
            remarks=tuple(value["remarks"]),
            complete=value["complete"],
            origin="simulated" if value.get("origin") == "simulated" else origin,
            intervals={name: (low, high) for name, (low, high) in value.get("intervals", {}).items()},
            extrapolations=tuple(value.get("extrapolations", ())),
            streamed=Metrics.from_json(value["metrics"]) if value.get("streamed") else None,
        )


def _shifted(record: RequestRecord, shift_s: float) -> RequestRecord:
    def later(time_s: float | None) -> float | None:
        return None if time_s is None else time_s + shift_s

    return replace(
        record,
        scheduled_s=record.scheduled_s + shift_s,
        sent_s=later(record.sent_s),
        chunk_s=[time_s + shift_s for time_s in record.chunk_s],
        finish_s=later(record.finish_s),
        done_s=later(record.done_s),
    )
