"""`./course simulate`: the points of `./course bench` on a machine that is not at hand, from the cost model."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import UsageError

if TYPE_CHECKING:
    from helpers.bench.arrivals import Arrivals
    from helpers.bench.run import Run
    from helpers.simulate.capacity import CapacityPlan
    from helpers.simulate.fit import Fit

ACTIONS = ("calibrate", "capacity", "residuals")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command contract, and the planner's."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        help="calibrate: measure an engine on this CPU; capacity: users at an objective on a Spark, two, and an H200; "
        "residuals: every published figure beside what the model says",
    )
    parser.add_argument("--device", default="gb10", help="gb10, h100, h200 or cpu: this one, measured (default: gb10)")
    parser.add_argument("--model", default="llama-3.1-8b", help="of the course's list, or the path of any config.json")
    parser.add_argument("--quantization", default="", help="default: the model's first published one that fits")
    parser.add_argument("--engine", default="auto", help="default: vllm; nano on the cpu")
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--concurrency", metavar="LIST", help="numbers of streams, such as 1,4,16 (default: 1,4)")
    load.add_argument("--rate", metavar="LIST", help="requests per second, arriving at random (Poisson)")
    parser.add_argument("--requests", type=int, metavar="N", help="per point (default: four a stream, at least 16)")
    parser.add_argument("--input-tokens", type=int, default=128, metavar="N", help="per prompt (default: 128)")
    parser.add_argument("--output-tokens", type=int, default=64, metavar="N", help="per answer (default: 64)")
    parser.add_argument("--shared-tokens", type=int, default=0, metavar="N", help="that all prompts begin with, cached")
    parser.add_argument("--tensor-parallel", type=int, default=1, metavar="N", help="2: two Sparks, or two cards")
    parser.add_argument(
        "--acceptance", type=float, metavar="X", help="speculate: a proposal holds with this probability"
    )
    parser.add_argument("--draft-tokens", type=int, default=3, metavar="N", help="proposals a step (default: 3)")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the runs as a bundle in this new folder")
    parser.add_argument("--ttft", type=float, default=2.0, metavar="S", help="capacity: bound on TTFT (default: 2 s)")
    parser.add_argument("--tpot", type=float, default=0.1, metavar="S", help="capacity: bound on TPOT (default: 0.1 s)")
    parser.add_argument(
        "--think", type=float, default=10.0, metavar="S", help="capacity: between questions (default: 10)"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="capacity: your own prices.toml")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Simulate and print; 3 if it does not fit, said with --json as well."""
    from helpers.simulate.system import DoesNotFit

    try:
        value = _run(arguments)
    except DoesNotFit as error:
        if arguments.json:
            told = {"points": [], "does_not_fit": error.what, "because": error.cause, "short_bytes": error.short_bytes}
            print(json.dumps(told))
        raise
    if arguments.json:
        json.dump(value, sys.stdout)
        sys.stdout.write("\n")
    return 0


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.action == "calibrate":
        return _calibrate(arguments)
    if arguments.action == "capacity":
        return _capacity(arguments)
    if arguments.action == "residuals":
        return _residuals(arguments)
    from helpers.simulate.load import simulate_load

    result = simulate_load(
        arguments.device,
        arguments.model,
        quantization=arguments.quantization,
        engine=arguments.engine,
        arrivals=_shapes(arguments),
        requests=arguments.requests,
        input_tokens=arguments.input_tokens,
        output_tokens=arguments.output_tokens,
        shared_tokens=arguments.shared_tokens,
        tensor_parallel=arguments.tensor_parallel,
        acceptance=arguments.acceptance,
        draft_tokens=arguments.draft_tokens,
        eager=arguments.eager,
        progress=lambda text: print(f"{text}, some two minutes, once", file=sys.stderr),
    )
    if arguments.out:
        result.save(arguments.out)
    if not arguments.json:
        _print(result.runs, arguments.out)
    return {"points": result.points, "client_error": None, "provenance": result.runs[0].provenance}


def _shapes(arguments: argparse.Namespace) -> "Sequence[Arrivals]":
    from helpers.bench.arrivals import ClosedLoop, Poisson

    if arguments.rate:
        return [Poisson(value) for value in _numbers("--rate", arguments.rate, float)]
    return [ClosedLoop(value) for value in _numbers("--concurrency", arguments.concurrency or "1,4", int)]


def _numbers(option: str, text: str, kind: type) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes numbers, comma-separated, not {text!r}", "", f"{option} 1,4,16") from error


def _print(runs: "Sequence[Run]", out: Path | None) -> None:
    from rich.console import Console

    from helpers.bench.table import intervals_table, remarks, runs_table

    target = runs[0].target
    print(f"{target.name}, {target.backend}: SIMULATED, nothing was measured; latencies in ms")
    console = Console(highlight=False, width=max(Console().width, 120))
    console.print(runs_table(runs))
    console.print(intervals_table(runs))
    for line in remarks(runs):
        print(f"note: {line}")
    if out:
        print(f"bundle: {out}")


def _calibrate(arguments: argparse.Namespace) -> dict[str, Any]:
    from rich.console import Console

    from helpers.simulate.this_cpu import measure_profile

    engine = "nano" if arguments.engine == "auto" else arguments.engine
    with Console(stderr=True).status("measuring this CPU") as status:
        profile = measure_profile(engine, progress=status.update)
    if not arguments.json:
        print(f"{engine} on this CPU, measured with load {profile.load_average}: simulations with --device cpu use it.")
        print(
            f"80 % of the left-out measurements within a factor of {profile.factor:.2f}, the worst {profile.worst:.0%}."
        )
    return {"engine": engine, "factor": profile.factor, "worst": profile.worst, **profile.parameters.to_json()}


def _capacity(arguments: argparse.Namespace) -> dict[str, Any]:
    from helpers.bench.metrics import Objective
    from helpers.simulate.planner import plan_capacity

    plan = plan_capacity(
        arguments.model,
        Objective(ttft_s=arguments.ttft, tpot_s=arguments.tpot),
        quantization=arguments.quantization,
        engine=arguments.engine,
        input_tokens=arguments.input_tokens,
        output_tokens=arguments.output_tokens,
        think_s=arguments.think,
        prices=arguments.prices,
    )
    if not arguments.json:
        _print_capacity(plan)
    return plan.to_json()


def _print_capacity(plan: "CapacityPlan") -> None:
    from rich.console import Console
    from rich.table import Table

    from helpers.simulate.capacity import COLUMNS

    print(f"{plan.title}: SIMULATED, with the 80 % interval of the users")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if index else "left", no_wrap=index < 3)
    for row in plan.rows():
        table.add_row(*row)
    Console(highlight=False, width=max(Console().width, 100)).print(table)
    for line in plan.notes:
        print(f"note: {line}")


def _residuals(arguments: argparse.Namespace) -> dict[str, Any]:
    from helpers.simulate.fit import fit

    fitted = fit()
    if not arguments.json:
        _print_residuals(fitted)
    return {
        "parameters": fitted.parameters.to_json(),
        "factors": {
            "decode": fitted.decode_factor,
            "prefill": fitted.prefill_factor,
            "two-sparks": fitted.sparks_factor,
        },
        "rows": [
            {
                "figure": row.name,
                "kind": row.kind,
                "source": row.figure.source.title,
                "published_per_s": row.published_per_s,
                "simulated_per_s": row.simulated_per_s,
                "error": row.error,
                "left_out_error": row.left_out_error,
            }
            for row in fitted.rows
        ],
    }


def _print_residuals(fitted: "Fit") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(("kind", "figure", "published", "simulated", "error", "left out")):
        table.add_column(column, justify="right" if index > 1 else "left", no_wrap=index != 1)
    for row in fitted.rows:
        missed = "-" if row.left_out_error is None else f"{row.left_out_error:+.0%}"
        rates = (f"{row.published_per_s:,.1f}", f"{row.simulated_per_s:,.1f}", f"{row.error:+.0%}", missed)
        table.add_row(row.kind, row.name, *rates)
    Console(highlight=False, width=max(Console().width, 120)).print(table)
    print(
        "Tokens a second on a DGX Spark. stock and implausible are in no fit; left out: by a fit without this figure."
    )
