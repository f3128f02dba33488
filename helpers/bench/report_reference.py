"""The small print of a report: the client's own error, published figures, definitions, provenance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.bench.bundle import Bundle
from helpers.bench.metrics import DEFINITIONS
from helpers.bench.published import published
from helpers.bench.report import Section, Table
from helpers.bench.standings import EngineRow
from helpers.bench.units import MISSING, bytes_text, digits, milliseconds

MOST_PUBLISHED = 4
"""Of an engine; all of them stand in the folded table."""


def reference_sections(bundles: Sequence[tuple[Path, Bundle]]) -> tuple[Section, ...]:
    """What every report ends with."""
    client_error = client_error_section([bundle for _, bundle in bundles])
    return client_error, _published_section(), _definitions_section(), _provenance_section(bundles)


def client_error_section(bundles: Sequence[Bundle]) -> Section:
    """What `calibrate` found on each machine that made these bundles; says so where it was not run."""
    title = "The client's own error"
    known = {str(bundle.client_error): bundle.client_error for bundle in bundles if bundle.client_error}
    if not known:
        missing = "Not measured yet: ./course bench calibrate measures it against a mock server whose times are known."
        return Section(title, missing)
    rows = tuple(_error_row(point) for error in known.values() for point in error["points"])
    text = (
        "What the client reported of a mock server minus what the mock did (nominal: first token after 50 ms, then one "
        "every 5 ms). A difference between engines that is smaller than this is the client's."
    )
    columns = (
        "Streams",
        "Machine",
        "TTFT p50 error, ms",
        "TTFT p99 error, ms",
        "Gap mean error, ms",
        "Gap p50 error, ms",
        "Peak in flight",
        "Failed",
    )
    return Section(title, text, Table(columns, rows, frozenset({columns[0], *columns[2:]})))


def _error_row(point: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(point["streams"]),
        "beside a CPU load" if point["beside_load"] else "idle",
        *(
            milliseconds(point[name])
            for name in ("ttft_p50_error_s", "ttft_p99_error_s", "gap_mean_error_s", "gap_p50_error_s")
        ),
        str(point["peak_in_flight"]),
        f"{point['errors']} of {point['requests']}",
    )


def beside_spark_section(rows: Sequence[EngineRow]) -> Section:
    """Each engine's own figures above what others published of the same engine on a DGX Spark, one stream each."""
    known = {figure.engine.lower(): figure.engine for figure in published()}
    lines: list[tuple[str, ...]] = []
    for row in rows:
        if row.tpot_s is None:
            continue
        own = (
            row.variant,
            row.model,
            digits(row.prefill_tokens_per_s),
            digits(1 / row.tpot_s),
            row.state,
            "this report",
        )
        lines.append(own)
    engines = dict.fromkeys(row.engine for row in rows if row.tpot_s is not None)
    for engine in engines:
        figures = [figure for figure in published(known.get(engine, engine)) if figure.batch == 1 and not figure.doubt]
        lines += [
            (
                f"{figure.engine} {figure.precision}",
                figure.model,
                digits(figure.prefill_tokens_per_s),
                digits(figure.decode_tokens_per_s),
                "published: on DGX Spark",
                f"{figure.source.title}, {figure.source.date}",
            )
            for figure in figures[:MOST_PUBLISHED]
        ]
    title = "Beside a DGX Spark, one stream"
    if not lines:
        return Section(title, "No valid run with one stream: nothing stands beside the published figures.")
    text = (
        "Own figures first, then what others published of the same engines. They differ in model, load and machine: "
        "the rates show the distance between machines and models, not which engine is better."
    )
    columns = ("Engine", "Model", "Prefill, tokens/s", "Decode, tokens/s", "Origin", "Source")
    return Section(title, text, Table(columns, tuple(lines), frozenset(columns[2:4])))


def _published_section() -> Section:
    columns = ("Engine", "Model", "Precision", "Tokens in / out", "Batch", "Prefill, tokens/s", "Decode, tokens/s")
    rows = tuple(
        (
            figure.engine + (f", {figure.sparks} Sparks" if figure.sparks > 1 else ""),
            figure.model,
            figure.precision,
            f"{figure.input_tokens or MISSING} / {figure.output_tokens or MISSING}",
            str(figure.batch),
            digits(figure.prefill_tokens_per_s, 4),
            digits(figure.decode_tokens_per_s, 4),
            "published",
            f"{figure.source.title}, {figure.source.date}" + (f"; {figure.how}" if figure.how else ""),
            figure.doubt or MISSING,
        )
        for figure in published()
    )
    text = (
        "Measured by others on DGX Spark, none of it here: other models, other loads, other hardware than above. "
        "Decode at batch above 1 is the total of all streams."
    )
    table = Table((*columns, "Origin", "Source", "Doubt"), rows, frozenset(columns[4:]))
    return Section("What others published about DGX Spark", text, table, folded=True)


def _definitions_section() -> Section:
    rows = tuple(DEFINITIONS.items())
    return Section("Definitions", table=Table(("Figure", "Definition"), rows), folded=True)


def _provenance_section(bundles: Sequence[tuple[Path, Bundle]]) -> Section:
    rows = []
    for folder, bundle in bundles:
        facts = bundle.provenance
        hardware = facts.get("hardware", {})
        versions = ", ".join(f"{name} {number}" for name, number in facts.get("versions", {}).items() if number)
        backends = dict.fromkeys(run.target.backend for run in bundle.runs if run.target.backend)
        load = facts.get("load_average")
        rows.append(
            (
                str(folder),
                bundle.origin,
                str(facts.get("date", MISSING)),
                f"{hardware.get('processor', MISSING)}, {hardware.get('cores', MISSING)} cores, "
                f"{bytes_text(hardware.get('memory_bytes', 0))}; {hardware.get('system', '')}",
                "; ".join(backends) or MISSING,
                f"Python {facts.get('python', MISSING)}; {versions}; commit {facts.get('git_commit') or MISSING}",
                f"seed {facts.get('seed', MISSING)}, load {MISSING if load is None else f'{load:.1f}'}"
                + (f", {bundle.damaged_lines} damaged lines" if bundle.damaged_lines else ""),
            )
        )
    columns = ("Bundle", "Origin", "Date", "Machine", "Engine", "Software", "Run")
    return Section("Provenance", table=Table(columns, tuple(rows)), folded=True)
