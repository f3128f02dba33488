"""Steps under the limits of their machine, and where their time goes: only for runs whose machine's limits are known.

A bundle of `./course bench --engine` carries the limits of the machine that made it (`limits.json`). A DGX Spark's are
published ones. Left out are runs that speculate, whose steps emit several tokens, and runs whose reads coalesced, for
which the median gap is no step.
"""

from typing import Any

from helpers.bench.cause import NotIdentifiable, StepPoint, fit_step_time
from helpers.bench.groups import Group, origin_text, variant_name
from helpers.bench.plots_cause import RooflinePoint, roofline, step_shares
from helpers.bench.published import device
from helpers.bench.report import Section, Table
from helpers.bench.run import Run
from helpers.bench.speculated import counted_acceptance
from helpers.bench.steps import decode_points, model_shape, prefill_points
from helpers.bench.units import milliseconds
from helpers.errors import CourseError

COLUMNS = ("Step", "Took, ms", "Limit, ms", "Of its limit", "Bound by")
SPARK_GPU = "GB10"


def limits_sections(group: Group) -> list[Section]:
    """Roofline and step-time terms of a group; empty where limits or the model's shape are not known."""
    limits = next(filter(None, map(_limits, group.runs)), None)
    plain = [run for run in group.runs if run.origin != "simulated" and not (_speculates(run) or _is_coalesced(run))]
    if limits is None or not plain:
        return []
    try:
        shape = model_shape(group.model)
    except CourseError:
        return []  # a model that is not here, or of another family: its bytes cannot be counted
    bandwidth, rate, origin = limits
    steps = _seen(decode_points(plain, shape))
    if not steps:
        return []
    points = [RooflinePoint.of(step) for step in steps]
    figure = roofline(points, bandwidth_bytes_per_s=bandwidth, flops_per_s=rate, machine=group.machine, origin=origin)
    rows = tuple(_row(step, bandwidth, rate) for step in steps)
    text = (
        f"Limits: {bandwidth / 1e9:,.1f} GB/s and {rate / 1e9:,.0f} GFLOP/s, {origin}. No step can be faster than the "
        "slower of moving its bytes and doing its operations, both counted from the model's shape; a step above 100 % "
        f"kept its weights in the cache, or the limits were measured on a busier machine. {origin_text(plain)}"
    )
    table = Table(COLUMNS, rows, frozenset(COLUMNS[1:4]))
    sections = [Section(f"Under the limits of the machine: {group.title}", text, table, (figure,))]
    most = max(
        ([run for run in plain if variant_name(run) == name] for name in dict.fromkeys(map(variant_name, plain))),
        key=len,
    )
    sections.append(_terms(group, _seen([*decode_points(most, shape), *prefill_points(most, shape)])))
    return sections


def _seen(steps: list[StepPoint]) -> list[StepPoint]:
    """Without those whose chunks all came in one read: the client did not see how long they took."""
    return [step for step in steps if step.step_s > 0]


def _terms(group: Group, steps: list[StepPoint]) -> Section:
    title = f"Where the time of a step goes: {group.title}"
    try:
        fit = fit_step_time(steps)
    except NotIdentifiable as refusal:
        return Section(title, f"Not told apart: {refusal.what}. {refusal.next_command.capitalize()}.")
    text = (
        "Fitted to these runs: time = fixed cost + bytes / bandwidth + FLOPs / rate. "
        f"The worst step is missed by {fit.worst_relative_error:.0%}."
    )
    return Section(title, text, figures=(step_shares(fit),))


def _row(step: StepPoint, bandwidth: float, rate: float) -> tuple[str, ...]:
    fastest_s = step.cost.fastest_s(bandwidth, rate)
    bound = "memory" if step.cost.bytes / bandwidth >= step.cost.flops / rate else "arithmetic"
    return (
        step.label,
        milliseconds(step.step_s),
        milliseconds(fastest_s),
        f"{fastest_s / step.step_s:.0%}",
        bound,
    )


def _limits(run: Run) -> tuple[float, float, str] | None:
    """Bytes a second, FLOPs a second and their origin; None where nobody measured or published them."""
    gpus: list[dict[str, Any]] = run.provenance.get("hardware", {}).get("gpus") or []
    if gpus and all(SPARK_GPU in gpu.get("name", "") for gpu in gpus):
        spark = device("gb10")
        return spark.bandwidth_bytes_per_s, max(spark.flops_per_s["bf16"]), f"published for {spark.name}"
    measured = run.provenance.get("limits")
    if gpus or not measured:
        return None
    bandwidth = max(measured["triad_bytes_per_s"], measured["read_bytes_per_s"])
    return bandwidth, measured["matrix_flops_per_s"], "measured"


def _speculates(run: Run) -> bool:
    return counted_acceptance(run)[0] is not None


def _is_coalesced(run: Run) -> bool:
    """Half of the chunks or more came together with the one before."""
    metrics = run.metrics
    return bool(metrics.itl_s and metrics.tpot_s and metrics.itl_s.p50 < metrics.tpot_s.p50 / 2)
