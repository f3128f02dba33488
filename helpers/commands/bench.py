"""`./course bench`: measure an engine or a URL under load; `./course bench calibrate`: the client's own error."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.config import ROOT
from helpers.errors import UsageError

TABLE_WIDTH = 100

if TYPE_CHECKING:
    from rich.status import Status

    from helpers.bench.measuring import Progress
    from helpers.bench.results import Sweep
    from helpers.bench.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command contract, and where the records go."""
    parser.add_argument("action", nargs="?", choices=["calibrate"], help="measure the client's own error instead")
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--url", help="an OpenAI-compatible server, with or without /v1")
    server.add_argument("--engine", help="start this engine for the measurement (auto: this machine's default)")
    parser.add_argument("--model", default="", help="what to serve, or which of the URL's models to ask")
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--concurrency", metavar="LIST", help="numbers of streams, such as 1,4,16 (default: 1,4)")
    load.add_argument("--rate", metavar="LIST", help="requests per second, arriving at random (Poisson)")
    parser.add_argument("--requests", type=int, metavar="N", help="per point (default: four a stream, at least 16)")
    parser.add_argument("--input-tokens", type=int, default=128, metavar="N", help="per prompt (default: 128)")
    parser.add_argument("--output-tokens", type=int, default=64, metavar="N", help="per answer (default: 64)")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="of each point (default: 1)")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="bound on a request (default: 600)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="new folder for the bundle (default: below runs/)")
    parser.add_argument("--compare", type=Path, metavar="DIR", help="show the figures beside those of this bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; 1 if a point is not valid."""
    from rich.console import Console

    console = Console(stderr=True)
    if arguments.action == "calibrate":
        return _calibrate(arguments.json, console)
    if not arguments.url and not arguments.engine:
        raise UsageError("bench needs --url or --engine", "", "./course bench --engine llama.cpp --concurrency 1,4")
    from helpers.bench.bundle import load_bundle
    from helpers.bench.calibrate import cached_client_error, calibrate
    from helpers.bench.measuring import Interrupted
    from helpers.bench.runner import sweep
    from helpers.bench.workloads import unique_prompts

    shapes = _shapes(arguments)
    baseline = load_bundle(arguments.compare) if arguments.compare else None
    workload = unique_prompts(arguments.input_tokens, arguments.output_tokens)
    out = arguments.out or ROOT / "runs" / f"bench-{datetime.now():%Y%m%d-%H%M%S}"
    with console.status("starting") as status:
        if cached_client_error() is None:
            calibrate(progress=status.update)
        try:
            with _server(arguments, status) as server:
                result = sweep(
                    server,
                    workload,
                    shapes,
                    arguments.requests,
                    repeats=arguments.repeats,
                    out=out,
                    model=arguments.model if arguments.url else "",
                    timeout_s=arguments.timeout,
                    progress=lambda progress: status.update(_line(progress)),
                )
        except Interrupted as stopped:
            console.print(str(stopped).capitalize() + ".")
            return 130
        status.update("writing the report")
        if arguments.engine:
            _keep_limits(out)
        report = _write_report(out)
    compared = _compared(result.runs, baseline.runs) if baseline else None
    if arguments.json:
        json.dump(_contract(result, compared), sys.stdout)
        sys.stdout.write("\n")
    else:
        _print(result, compared, out, report)
    return 0 if all(point.valid for point in result.runs) else 1


def _shapes(arguments: argparse.Namespace) -> list[Any]:
    from helpers.bench.arrivals import ClosedLoop, Poisson

    if arguments.rate:
        return [Poisson(value) for value in _numbers("--rate", arguments.rate, float)]
    return [ClosedLoop(value) for value in _numbers("--concurrency", arguments.concurrency or "1,4", int)]


def _numbers(option: str, text: str, kind: type) -> list[Any]:
    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes numbers, comma-separated, not {text!r}", "", f"{option} 1,4,16") from error
    return values


@contextmanager
def _server(arguments: argparse.Namespace, status: "Status") -> Iterator[Any]:
    if arguments.url:
        yield arguments.url
        return
    import helpers

    status.update(f"starting {arguments.engine}")
    options = {"model": arguments.model} if arguments.model else {}
    most = max((getattr(shape, "concurrency", 1) for shape in _shapes(arguments)), default=1)
    with helpers.launch(arguments.engine, max_num_seqs=most, **options) as server:
        yield server


def _keep_limits(folder: Path) -> None:
    """Put the limits of this machine's CPU beside the records; a GPU's are not measured here."""
    from helpers.bench.bundle import LIMITS, write_json
    from helpers.bench.machine import measure_limits
    from helpers.hardware import read_hardware

    if not read_hardware().gpus:
        write_json(folder / LIMITS, measure_limits().to_json())


def _write_report(folder: Path) -> Path:
    from helpers.bench.bundle import load_bundle
    from helpers.bench.report import write_report
    from helpers.bench.report_sections import build_report

    return write_report(build_report([(folder, load_bundle(folder))]), folder)[0]


def _line(progress: "Progress") -> str:
    errors = f", {progress.errors} failed" if progress.errors else ""
    return f"{progress.label}, {progress.phase}: {progress.done} of {progress.total} requests{errors}"


def _contract(result: "Sweep", compared: list[dict[str, Any]] | None) -> dict[str, Any]:
    first = result.runs[0]
    value = {
        "points": [point.point() for point in result.runs],
        "client_error": first.client_error,
        "provenance": first.provenance,
    }
    return value if compared is None else {**value, "compared": compared}


def _compared(runs: tuple["Run", ...], baseline: tuple["Run", ...]) -> list[dict[str, Any]]:
    """Each point beside the bundle's point of the same load; figures that are missing on one side are None."""
    from helpers.bench.results import FIGURES, figure

    known = {point.label: point for point in baseline}
    rows = []
    for point in runs:
        other = known.get(point.label)
        if other is None:
            continue
        same = (point.workload.input_tokens, point.workload.output_tokens) == (
            other.workload.input_tokens,
            other.workload.output_tokens,
        )
        pairs = {name: (figure(point.metrics, name), figure(other.metrics, name)) for name in FIGURES}
        rows.append(
            {
                "load": point.label,
                "baseline": other.target.name,
                "baseline_origin": other.origin,
                "same_workload": same,
                **{name: new / old if new is not None and old else None for name, (new, old) in pairs.items()},
            }
        )
    return rows


def _print(result: "Sweep", compared: list[dict[str, Any]] | None, out: Path, report: Path) -> None:
    from rich.console import Console

    from helpers.bench.table import client_error_line, remarks, runs_table

    target = result.runs[0].target
    print(f"{target.name} at {target.url}, measured; latencies in ms")
    # A narrower table would lose its first column.
    Console(highlight=False, width=max(Console().width, TABLE_WIDTH)).print(runs_table(result.runs))
    for line in remarks(result.runs):
        print(f"note: {line}")
    print(client_error_line(result.runs[0].client_error, result.runs))
    for row in compared or []:
        ratios = ", ".join(f"{name} x{row[name]:.2f}" for name in row if isinstance(row[name], float))
        other = "" if row["same_workload"] else "; of another workload"
        print(f"{row['load']} against {row['baseline']} ({row['baseline_origin']}{other}): {ratios}")
    if compared is not None:
        matched = "" if compared else "no load in common with the other bundle; "
        print(f"{matched}the two were not interleaved: what the machine did in between is in the ratios")
    print(f"bundle: {out}")
    print(f"report: {report}")


def _calibrate(as_json: bool, console: Any) -> int:
    from helpers.bench.calibrate import ErrorPoint, calibrate

    with console.status("starting the mock server") as status:
        result = calibrate(progress=status.update)
    if as_json:
        json.dump(result, sys.stdout)
        sys.stdout.write("\n")
        return 0
    print("The client's own error: what it reports minus what the mock server did, milliseconds.")
    print(
        f"{'streams':>8} {'beside':>9} {'TTFT p50':>9} {'TTFT p99':>9} {'gap p50':>9} {'gap p99':>9} {'in flight':>10}"
    )
    for value in result["points"]:
        point = ErrorPoint(**value)
        beside = "CPU load" if point.beside_load else "idle"
        errors = (point.ttft_p50_error_s, point.ttft_p99_error_s, point.gap_p50_error_s, point.gap_p99_error_s)
        cells = " ".join(f"{error * 1000:>+9.2f}" for error in errors)
        print(f"{point.streams:>8} {beside:>9} {cells} {point.peak_in_flight:>10}")
    print("Kept for this machine; every result carries it.")
    return 0
