"""Which figures a group of runs can fill, drawn only where there is something to see."""

from collections.abc import Sequence
from typing import Any

from helpers.bench.groups import Group, origin_text, variant_name
from helpers.bench.plots import distributions, latency_throughput, length_sweep, load_curves, timeline
from helpers.bench.report import Section
from helpers.bench.run import Run

LOAD_TEXT = (
    "Each line is one engine at one precision, each point one run; the ring marks the knee, the load of greatest "
    "throughput / latency (Kleinrock's power). Hollow points were marked invalid. Dashed lines are simulated, their "
    "bars are 80 % intervals; a dot in a hollow point says that it extrapolates."
)
LENGTH_TEXT = "Prefill grows with the prompt; decoding grows only by the keys and values that each new token reads."
REQUEST_TEXT = "The records behind the figures: how the requests of one run spread, and when each of them was served."


def group_figures(group: Group) -> list[Section]:
    """The load sweep, the length sweep and the requests of a group, as far as its runs allow."""
    source = origin_text(group.runs)
    closed = [run for run in group.runs if run.concurrency is not None and not run.workload.given]
    sections = []
    sweep = _series(_most_common(closed, lambda run: (run.workload.input_tokens, run.workload.output_tokens)))
    sweep = {name: points for name, points in sweep.items() if len({p["concurrency"] for p in points}) > 1}
    if sweep:
        figures = (load_curves(sweep), latency_throughput(sweep))
        sections.append(Section(f"Under load: {group.title}", f"{LOAD_TEXT} {source}", figures=figures))
    lengths = _series(_most_common(closed, lambda run: (run.concurrency, run.workload.output_tokens)), "input_tokens")
    lengths = {name: points for name, points in lengths.items() if len({p["input_tokens"] for p in points}) > 1}
    if lengths:
        sections.append(
            Section(f"Prompt length: {group.title}", f"{LENGTH_TEXT} {source}", figures=(length_sweep(lengths),))
        )
    answered = [run for run in group.runs if any(record.ok and record.chunk_s for record in run.records)]
    if answered:
        busiest = max(answered, key=lambda run: (run.metrics.peak_in_flight, run.valid))
        same_load = [run for run in answered if run.arrivals == busiest.arrivals]
        samples = {variant_name(run): [r.ttft_s for r in run.records if r.ok and r.ttft_s] for run in same_load}
        spread = distributions(samples, f"TTFT at {busiest.arrivals.label}")
        rows = timeline(busiest.repeats[0], f"Requests of {variant_name(busiest)}, {busiest.arrivals.label}")
        sections.append(Section(f"Requests: {group.title}", f"{REQUEST_TEXT} {source}", figures=(spread, rows)))
    return sections


def _most_common(runs: Sequence[Run], key: Any) -> list[Run]:
    """The runs of the key that most runs share."""
    buckets: dict[Any, list[Run]] = {}
    for run in runs:
        buckets.setdefault(key(run), []).append(run)
    return max(buckets.values(), key=len, default=[])


def _series(runs: Sequence[Run], order: str = "concurrency") -> dict[str, list[dict[str, Any]]]:
    """Points by variant, in order; of two runs at one place the later counts."""
    series: dict[str, dict[Any, dict[str, Any]]] = {}
    for run in runs:
        point = {**run.point(), "input_tokens": run.workload.input_tokens[0]}
        series.setdefault(variant_name(run), {})[point[order]] = point
    return {name: [points[place] for place in sorted(points)] for name, points in series.items()}
