"""`simulate_load`: what `helpers.sweep` would give on a machine that is not at hand."""

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from helpers.bench.arrivals import Arrivals, ClosedLoop, Replay
from helpers.bench.metrics import Metrics
from helpers.bench.provenance import git_commit
from helpers.bench.results import Sweep, figure
from helpers.bench.run import Run
from helpers.bench.target import Target
from helpers.bench.workloads import Workload
from helpers.errors import UsageError
from helpers.simulate.clock import Speculation
from helpers.simulate.devices import CPU
from helpers.simulate.marks import extrapolations
from helpers.simulate.session import Session, budget_tokens
from helpers.simulate.sinks import Figures, Records
from helpers.simulate.system import BLOCK_SIZE, System, make_system
from helpers.simulate.traffic import Timetable, Traffic, Users

MOST_KEPT_TOKENS = 2_000_000
"""Of a run whose records are kept; a larger one has figures only."""

FIGURES = (
    "output_tokens_per_s",
    "input_tokens_per_s",
    *(f"{name}.{part}" for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s") for part in ("mean", "p50", "p90", "p99")),
)
"""What has an interval."""

OPEN_LOOP_S = 10.0
"""An open loop without a number of requests lasts so long, as in `helpers.sweep`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The part of a load that is the same at every point."""

    input_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    shared_tokens: int
    speculation: Speculation | None
    max_num_seqs: int
    max_num_batched_tokens: int
    chunked_prefill: bool
    seed: int


def simulate_load(
    device: str = "gb10",
    model: str = "llama-3.1-8b",
    *,
    quantization: str = "",
    engine: str = "auto",
    concurrency: Sequence[int] = (1, 4, 16),
    arrivals: Arrivals | Sequence[Arrivals] | None = None,
    requests: int | None = None,
    input_tokens: int | Sequence[int] = 128,
    output_tokens: int | Sequence[int] = 64,
    shared_tokens: int = 0,
    tensor_parallel: int = 1,
    acceptance: float | None = None,
    draft_tokens: int = 3,
    eager: bool = False,
    max_num_seqs: int = 256,
    max_num_batched_tokens: int | None = None,
    chunked_prefill: bool = True,
    max_model_len: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Sweep:
    """Simulate loads on a machine: nano's scheduler on a virtual clock, steps as long as the cost model says.

    Args:
        device: gb10, h100, h200; cpu is this machine, measured once (`helpers.simulate.this_cpu`).
        model: of the course's list, or the path of any config.json.
        quantization: as in `helpers.launch`; "" takes the model's first published one that fits.
        engine: decides what is stored how, and the budget of a step; auto is vLLM, on this CPU nano.
        concurrency: streams of closed loops, a point each.
        arrivals: load shapes instead.
        requests: a point; None: four a stream, at least 16; ten seconds' worth of an open loop.
        input_tokens, output_tokens: several are taken in turn.
        shared_tokens: tokens that all prompts begin with, found by the prefix cache; counted in input_tokens.
        tensor_parallel: machines joined by their link (two Sparks: 200 Gb/s), or cards of one machine.
        acceptance: probability that a proposed token holds, if those before it have; None: no speculation.
        draft_tokens: proposals a step, by a head of one layer (EAGLE-3).
        eager: without CUDA graphs.
        max_num_seqs, max_num_batched_tokens, chunked_prefill, max_model_len: the scheduler's limits.
        seed: of random arrivals and of the proposals' luck.
        progress: told what is measured: this CPU, the first time it is simulated.

    Returns:
        A sweep like a measured one: runs with records, figures and notes, origin "simulated", `intervals` of 80 %, and
        a note of kind "extrapolates" where a point leaves what was published. Above two million tokens a run has
        figures only.

    Raises:
        UsageError: an unknown name, or lengths beyond the context. MissingError: it does not fit; says by how much.
    """
    system = make_system(
        device,
        model,
        quantization=quantization,
        engine=engine,
        tensor_parallel=tensor_parallel,
        eager=eager,
        progress=progress,
    )
    asked = _Asked(
        input_tokens=_lengths("input_tokens", input_tokens),
        output_tokens=_lengths("output_tokens", output_tokens),
        shared_tokens=shared_tokens,
        speculation=_speculation(acceptance, draft_tokens),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens or budget_tokens(system.engine),
        chunked_prefill=chunked_prefill,
        seed=seed,
    )
    _require_lengths(asked, system, max_model_len)
    shapes: Sequence[Arrivals] = [ClosedLoop(streams) for streams in concurrency]
    if arrivals is not None:
        shapes = list(arrivals) if isinstance(arrivals, (list, tuple)) else [arrivals]  # type: ignore[list-item]
    return Sweep(tuple(_point(system, asked, shape, requests) for shape in shapes))


def _point(system: System, asked: _Asked, shape: Arrivals, requests: int | None) -> Run:
    streams = shape.concurrency if isinstance(shape, ClosedLoop) else None
    count = _requests(shape, requests)
    seats = min(asked.max_num_seqs, streams or asked.max_num_seqs, count)
    longest = max(asked.input_tokens) + max(asked.output_tokens)
    session = Session(
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        shared_tokens=asked.shared_tokens,
        blocks=system.blocks(seats, longest),
        block_size=BLOCK_SIZE,
        max_num_seqs=seats,
        max_num_batched_tokens=asked.max_num_batched_tokens,
        chunked_prefill=asked.chunked_prefill,
        speculation=asked.speculation,
        seed=asked.seed,
    )
    traffic = _traffic(shape, count, asked.seed)
    kept = count * max(asked.output_tokens) <= MOST_KEPT_TOKENS
    records, streamed = Records(), Figures()
    scheduler = session.play(system.stepper(), traffic(), records if kept else streamed)
    sides = []
    for side in (-1, 1):
        figures = Figures()
        session.play(system.stepper(side), traffic(), figures)
        sides.append(figures.metrics())
    marks = extrapolations(system, batch=seats, longest=longest, speculating=asked.speculation is not None)
    preemptions = scheduler.counters.preemptions
    run = Run(
        label=shape.label,
        target=Target("", system.engine, system.architecture.id, system.quantization, f"simulated on {system.name}"),
        workload=_workload(asked),
        arrivals=shape,
        requests=count,
        repeats=(tuple(records.records),) if kept else (),
        provenance=_provenance(system, asked),
        remarks=(f"{preemptions} preemptions: the KV cache was full",) if preemptions else (),
        origin="simulated",
        extrapolations=marks,
        streamed=None if kept else streamed.metrics(),
    )
    run.intervals.update(_intervals(run.metrics, sides))
    return run


def _requests(shape: Arrivals, requests: int | None) -> int:
    if requests is not None:
        if requests < 1:
            raise UsageError(f"requests cannot be {requests}", "there must be at least 1")
        return requests
    if isinstance(shape, Replay):
        return len(shape.trace_s)
    if isinstance(shape, ClosedLoop):
        return max(16, 4 * shape.concurrency)
    return max(16, math.ceil(OPEN_LOOP_S * float(getattr(shape, "rate_per_s", 0.0))))


def _traffic(shape: Arrivals, count: int, seed: int) -> Callable[[], Traffic]:
    if isinstance(shape, ClosedLoop):
        streams = shape.concurrency
        return lambda: Users(streams, count)
    times_s = shape.times_s(count, seed)
    return lambda: Timetable(times_s)


def _intervals(metrics: Metrics, sides: Sequence[Metrics]) -> dict[str, tuple[float, float]]:
    """Each figure's lowest and highest value over the estimate and the two ends."""
    found = {}
    for name in FIGURES:
        values = [value for each in (metrics, *sides) if (value := figure(each, name)) is not None]
        if len(values) == 1 + len(sides):
            found[name] = (min(values), max(values))
    return found


def _lengths(name: str, value: int | Sequence[int]) -> tuple[int, ...]:
    lengths = (value,) if isinstance(value, int) else tuple(value)
    if not lengths or any(not isinstance(length, int) or length < 1 for length in lengths):
        raise UsageError(f"{name} must be whole numbers of at least 1, not {value!r}")
    return lengths


def _speculation(acceptance: float | None, draft_tokens: int) -> Speculation | None:
    if acceptance is None:
        return None
    if not 0 <= acceptance <= 1:
        raise UsageError(
            f"acceptance cannot be {acceptance:g}",
            "it is the probability that a proposed token holds, 0 to 1, not a length",
            "--acceptance 0.7",
        )
    if draft_tokens < 1:
        raise UsageError(f"draft_tokens cannot be {draft_tokens}", "it must be at least 1")
    return Speculation(acceptance, draft_tokens)


def _require_lengths(asked: _Asked, system: System, max_model_len: int | None) -> None:
    longest = max(asked.input_tokens) + max(asked.output_tokens)
    context = system.architecture.context_length
    if max_model_len is not None and max_model_len > context:
        raise UsageError(f"max_model_len cannot be {max_model_len:,}", f"the model was made for {context:,} positions")
    limit = max_model_len or context
    if longest > limit:
        raise UsageError(
            f"{max(asked.input_tokens):,} prompt tokens and {max(asked.output_tokens):,} of answer exceed the context "
            f"of {limit:,} by {longest - limit:,}",
            f"prompt and answer share the context of {system.architecture.id}",
            "shorten one of them",
        )
    if not 0 <= asked.shared_tokens < min(asked.input_tokens):
        raise UsageError(
            f"shared_tokens cannot be {asked.shared_tokens}", "each prompt has at least one token of its own"
        )


def _workload(asked: _Asked) -> Workload:
    return Workload(
        name="shared prefix" if asked.shared_tokens else "unique prompts",
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        shared_tokens=asked.shared_tokens,
        seed=asked.seed,
    )


def _provenance(system: System, asked: _Asked) -> dict[str, Any]:
    return {
        "machine_id": f"simulated-{system.device.id}-{system.parallel}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": asked.seed,
        "load_average": None,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "versions": {},
        "hardware": {
            "processor": f"{system.name}, simulated",
            "memory_bytes": system.device.memory_bytes * system.parallel,
            "system": "",
            "gpus": [],
        },
        "simulated": {
            "device": system.device.id,
            "tensor_parallel": system.parallel,
            "eager": system.eager,
            "acceptance": asked.speculation.acceptance if asked.speculation else None,
            "limits": system.device.source,
            "architecture": system.architecture.source,
            "parameters": system.parameters.to_json(),
            "fitted_on": "this CPU" if system.device.id == CPU else f"published figures of {', '.join(system.engines)}",
            "interval": {
                "coverage": 0.8,
                "memory_factor": system.memory_factor,
                "arithmetic_factor": system.arithmetic_factor,
            },
        },
    }
