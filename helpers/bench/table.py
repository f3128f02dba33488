"""Runs as a table for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from helpers.bench.calibrate import error_at
from helpers.bench.metrics import Distribution
from helpers.bench.run import Run

if TYPE_CHECKING:
    from rich.table import Table


def runs_table(runs: Sequence[Run]) -> "Table":
    """One row a run; latencies in milliseconds."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("load", no_wrap=True)
    columns = (
        "requests\n(failed)",
        "in\nflight",
        "TTFT\np50",
        "\np99",
        "TPOT\np50",
        "ITL\np99",
        "e2e\np50",
        "tokens/s\nout",
        "\nin",
        "valid",
    )
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for run in runs:
        metrics = run.metrics
        table.add_row(
            run.label,
            f"{metrics.requests}" + (f" ({metrics.errors})" if metrics.errors else ""),
            f"{metrics.peak_in_flight}",
            _milliseconds(metrics.ttft_s, "p50"),
            _milliseconds(metrics.ttft_s, "p99"),
            _milliseconds(metrics.tpot_s, "p50"),
            _milliseconds(metrics.itl_s, "p99"),
            _milliseconds(metrics.e2e_s, "p50"),
            _rate(metrics.output_tokens_per_s),
            _rate(metrics.input_tokens_per_s),
            "yes" if run.valid else "no",
        )
    return table


def remarks(runs: Sequence[Run]) -> list[str]:
    """Each run's notes, a line each; the same note of several runs once."""
    lines: dict[str, list[str]] = {}
    for run in runs:
        for note in run.notes:
            lines.setdefault(note.text, []).append(run.label)
    return [
        text if len(labels) == len(runs) and len(runs) > 1 else f"{', '.join(labels)}: {text}"
        for text, labels in lines.items()
    ]


def client_error_line(client_error: dict[str, Any] | None, runs: Sequence[Run]) -> str:
    """How far the client's own figures can be off at this load."""
    if client_error is None:
        return "client error: not measured on this machine (./course bench calibrate)"
    streams = max((run.metrics.peak_in_flight for run in runs), default=1)
    point = error_at(client_error, max(streams, 1))
    if point is None:
        return "client error: the calibration holds no point"
    return (
        f"client error beside a CPU load, {point.streams} streams: "
        f"TTFT {point.ttft_p50_error_s * 1000:+.1f} ms at p50, {point.ttft_p99_error_s * 1000:+.1f} ms at p99; "
        f"gaps {point.gap_p50_error_s * 1000:+.2f} ms at p50 "
        f"(measured {client_error['date'][:10]} against the mock server)"
    )


def _milliseconds(value: Distribution | None, percentile: str) -> str:
    return "-" if value is None else f"{getattr(value, percentile) * 1000:,.1f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def intervals_table(runs: Sequence[Run]) -> "Table":
    """One row a simulated run: the 80 % interval of its rate and of its median latencies, in milliseconds."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), title="80 % intervals", title_justify="left"
    )
    table.add_column("load", no_wrap=True)
    for column in ("tokens/s out", "TTFT p50", "TPOT p50", "e2e p50", "extrapolates"):
        table.add_column(column, justify="right", no_wrap=True)
    for run in runs:
        low, high = run.intervals.get("output_tokens_per_s", (None, None))
        cells = [f"{_rate(low)} to {_rate(high)}"]
        for name in ("ttft_s.p50", "tpot_s.p50", "e2e_s.p50"):
            ends = run.intervals.get(name)
            cells.append("-" if ends is None else f"{ends[0] * 1000:,.1f} to {ends[1] * 1000:,.1f}")
        table.add_row(run.label, *cells, "yes" if run.extrapolations else "no")
    return table
