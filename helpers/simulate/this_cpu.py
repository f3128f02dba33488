"""This machine's processor as a device: its limits measured, and what an engine makes of them, measured too.

A handful of short runs of the engine itself; each run's duration, and the first token's wait of a single stream, are
linear in the parameters once the schedule is known, and the schedule of a closed loop does not depend on them. So every
run is played once for each parameter, with that parameter 1 and the others 0, and least squares finds the mix. What the
mix cannot say, that a library's kernels suit some sizes of a batch better than others, is kept as a factor for each.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.bundle import write_json
from helpers.bench.machine import measure_limits
from helpers.bench.provenance import load_average, machine_id
from helpers.bench.run import Run
from helpers.bench.runner import measure
from helpers.bench.workloads import unique_prompts
from helpers.config import read_settings
from helpers.engines.launch import launch
from helpers.engines.memory import host_memory
from helpers.errors import CheckFailed
from helpers.hardware import read_hardware
from helpers.simulate.architectures import architecture
from helpers.simulate.clock import Stepper
from helpers.simulate.cost import make_layout
from helpers.simulate.devices import CPU, Device, Link
from helpers.simulate.fit import COVERAGE, least_squares
from helpers.simulate.parameters import Parameters
from helpers.simulate.session import Session, budget_tokens
from helpers.simulate.sinks import Figures
from helpers.simulate.traffic import Users

MODELS = ("course", "course-heavy")
"""Two sizes, so that bytes and FLOPs can be told from what every step costs."""

DECODING = ((1, 128, 32), (2, 32, 96), (4, 128, 32), (16, 128, 32))
LOADS = (*DECODING, (1, 768, 8))
"""Streams, prompt and answer tokens of the runs for each model; of the first ones most is decoding."""

FEWEST_REQUESTS = 4
"""Of a run; and two waves of all streams after a first one, in which kernels are prepared for each size of a batch."""

UNITS = ("memory", "dense", "attention", "step_s", "batch_s", "sequence_s", "request_s", "admit_s")
"""The parameters that a CPU shows; NumPy's and oneDNN's kernels launch nothing."""

Equation = tuple[tuple[float, ...], float]
"""A column a parameter, and seconds."""

Curve = tuple[tuple[int, float], ...]
"""(sequences, measured / fitted), as in `Parameters`."""

NOTHING = Parameters(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, attention=0.0, overlaps=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """What an engine reaches on this CPU.

    Attributes:
        factor: measured / fitted lies within it for 80 % of the left-out equations.
        largest_batch, largest_parameters: of what was measured.
        worst: the largest relative error of a left-out equation.
        decode_factors: (parameters of the model, its curve) for each model that was measured, the smaller first. Error
            and interval are those of the mix without them.
    """

    engine: str
    parameters: Parameters
    bandwidth_bytes_per_s: float
    flops_per_s: float
    factor: float
    worst: float
    largest_batch: int
    largest_parameters: int
    date: str
    load_average: float | None
    decode_factors: tuple[tuple[int, Curve], ...] = ()

    def parameters_of(self, model_parameters: int) -> Parameters:
        """The mix with the curve of a model of that size: between two measured ones by the logarithm of the size."""
        if not self.decode_factors:
            return self.parameters
        sizes, curves = zip(*self.decode_factors, strict=True)
        near = np.interp(math.log(model_parameters), np.log(sizes), np.arange(len(sizes)))
        below, share = curves[int(near)], near % 1
        above = curves[min(int(near) + 1, len(curves) - 1)]
        curve = [(count, one + share * (other - one)) for (count, one), (_, other) in zip(below, above, strict=True)]
        return replace(self.parameters, decode_factors=tuple(curve))

    @property
    def rates(self) -> dict[str, float]:
        """By precision, as of a device."""
        return {"f32": self.flops_per_s}


def describe() -> Device:
    """This machine's memory; its rates are those of a profile."""
    memory = host_memory()
    return Device(
        id=CPU,
        name="this CPU",
        source=f"measured here: {read_hardware().processor}",
        bandwidth_bytes_per_s=1.0,
        memory_bytes=memory.total_bytes,
        reserved_bytes=memory.kept_bytes,
        flops_per_s={"f32": 1.0},
        link=Link("none", 1.0, 0.0),
    )


def profile(engine: str, progress: Callable[[str], None] | None = None) -> Profile:
    """The kept profile of an engine; of nano where it has none; nano's is measured if nothing was yet.

    Raises:
        As `measure_profile`.
    """
    return _kept(engine) or _kept("nano") or measure_profile("nano", progress=progress)


def measure_profile(engine: str, *, keep: bool = True, progress: Callable[[str], None] | None = None) -> Profile:
    """Measure an engine on this CPU: two minutes or three, depending on the engine's start.

    Raises:
        EngineUnavailable, EngineFailed: the engine does not run here. CheckFailed: its requests failed.
    """
    limits = measure_limits()
    equations: list[Equation] = []
    decoding: dict[tuple[int, int], Equation] = {}
    for model in MODELS:
        if progress is not None:
            progress(f"measuring {engine} with {model} on this CPU")
        with launch(engine, model=model, precision="f32", max_num_seqs=max(load[0] for load in LOADS)) as server:
            for streams, input_tokens, output_tokens in LOADS:
                run = measure(
                    server,
                    unique_prompts(input_tokens, output_tokens, seed=streams),
                    ClosedLoop(streams),
                    max(FEWEST_REQUESTS, 2 * streams),
                )
                made = _equations(run, model, engine, limits.bandwidth_bytes_per_s, limits.matrix_flops_per_s)
                equations += made
                if (streams, input_tokens, output_tokens) in DECODING:
                    decoding[architecture(model).parameters, streams] = made[0]
    found = _solve(equations)
    misses = sorted(
        abs(math.log(target / _value(columns, _solve([*equations[:index], *equations[index + 1 :]]))))
        for index, (columns, target) in enumerate(equations)
    )
    curves: dict[int, list[tuple[int, float]]] = {}
    for (size, streams), (columns, target) in sorted(decoding.items()):
        curves.setdefault(size, []).append((streams, target / _value(columns, found)))
    measured = Profile(
        engine=engine,
        parameters=Parameters(**{**asdict(NOTHING), **dict(zip(UNITS, found, strict=True))}),
        bandwidth_bytes_per_s=limits.bandwidth_bytes_per_s,
        flops_per_s=limits.matrix_flops_per_s,
        factor=math.exp(misses[min(len(misses), math.ceil(COVERAGE * (len(misses) + 1))) - 1]),
        worst=math.exp(misses[-1]) - 1,
        largest_batch=max(load[0] for load in LOADS),
        largest_parameters=max(architecture(model).parameters for model in MODELS),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        load_average=load_average(),
        decode_factors=tuple((size, tuple(curve)) for size, curve in curves.items()),
    )
    if keep:
        path = _path(engine)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(measured))
    return measured


def _equations(run: Run, model: str, engine: str, bandwidth: float, flops_per_s: float) -> list[Equation]:
    """What a run's duration, and a single stream's first token, are made of: (one column a parameter, seconds)."""
    if run.metrics.errors or run.metrics.ttft_s is None:
        first = next((record.error for record in run.records if record.error), "no answer arrived")
        raise CheckFailed(f"{run.metrics.errors} requests to {engine} failed", first, f"./course engines logs {engine}")
    played = []
    described = architecture(model)
    layout = make_layout(described, "f32", engine)
    machine = Device(CPU, "", "", bandwidth, 0.0, 0.0, {"f32": flops_per_s}, Link("none", 1.0, 0.0))
    streams = run.concurrency or 1
    session = Session(
        input_tokens=run.workload.input_tokens,
        output_tokens=run.workload.output_tokens,
        blocks=streams * 256,
        block_size=16,
        max_num_seqs=max(load[0] for load in LOADS),
        max_num_batched_tokens=budget_tokens(engine),
    )
    for name in UNITS:
        figures = Figures()
        one = Parameters(**{**asdict(NOTHING), name: 1.0})
        session.play(Stepper(described, layout, machine, one), Users(streams, run.requests), figures)
        played.append(figures.metrics())
    made = [(tuple(metrics.duration_s for metrics in played), run.metrics.duration_s)]
    if streams == 1:
        waits = tuple(metrics.ttft_s.mean if metrics.ttft_s else 0.0 for metrics in played)
        made.append((waits, run.metrics.ttft_s.p50))
    return made


def _solve(equations: list[Equation]) -> tuple[float, ...]:
    return least_squares([columns for columns, _ in equations], [target for _, target in equations])


def _value(columns: tuple[float, ...], found: tuple[float, ...]) -> float:
    return sum(column * value for column, value in zip(columns, found, strict=True))


def _path(engine: str) -> Path:
    return read_settings().cache / "simulate" / f"{machine_id()}-{engine}.json"


def _kept(engine: str) -> Profile | None:
    """None if it was not measured, or the file is of another version: it is measured anew then."""
    try:
        value: dict[str, Any] = json.loads(_path(engine).read_text(encoding="utf-8"))
        for kind, names in ((Profile, set(value)), (Parameters, set(value["parameters"]))):
            if names != {f.name for f in fields(kind)}:
                return None
        value["decode_factors"] = tuple(
            (size, tuple((count, factor) for count, factor in curve)) for size, curve in value["decode_factors"]
        )
        mix = Parameters(**{**value["parameters"], "decode_factors": ()})
        return Profile(**{**value, "parameters": mix})
    except (OSError, ValueError, TypeError, LookupError):
        return None
