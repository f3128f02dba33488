"""From bundles to the sections of a report: the answer, the engines, the evidence, the small print."""

from collections.abc import Sequence
from pathlib import Path

from helpers.bench.bundle import Bundle
from helpers.bench.findings import Answer, answer_needs
from helpers.bench.groups import Group, group_runs, lengths_text, variant_name
from helpers.bench.metrics import Metrics
from helpers.bench.report import Report, Section, Table
from helpers.bench.report_changes import Changes
from helpers.bench.report_comparisons import comparison_sections
from helpers.bench.report_facts import report_facts
from helpers.bench.report_figures import group_figures
from helpers.bench.report_limits import limits_sections
from helpers.bench.report_reference import beside_spark_section, reference_sections
from helpers.bench.run import Run
from helpers.bench.standings import EngineRow, engine_rows
from helpers.bench.stars import RULE
from helpers.bench.units import MISSING, digits, milliseconds, quantity

NEED_COLUMNS = ("Need", "Answer", "Figure", "Why", "Load", "Origin")
ENGINE_COLUMNS = (
    "Engine",
    "Model",
    "State",
    "One stream: TTFT p50, ms",
    "TPOT p50, ms",
    "Prefill, tokens/s",
    "Most output, tokens/s",
    "at streams",
    "Own stars: prefill / decode",
    "Older course's stars",
)
POINT_COLUMNS = (
    "Run",
    "Tokens in / out",
    "Load",
    "Requests",
    "Errors",
    "Peak in flight",
    "TTFT p50 / p99, ms",
    "TPOT p50, ms",
    "ITL p50 / p99, ms",
    "End to end p50, ms",
    "Output tokens/s",
    "Input tokens/s",
    "Valid",
    "Origin",
)


def build_report(
    bundles: Sequence[tuple[Path, Bundle]],
    *,
    title: str = "Inference engines compared",
    more: Sequence[Section] = (),
    changes: Changes | None = None,
) -> Report:
    """The report of these bundles.

    Args:
        bundles: each with the folder it came from.
        title: of the document.
        more: sections of the caller's own (roofline, causes, quality), set after the engines.
        changes: what changed between two of them; said first.
    """
    runs = [run for _, bundle in bundles for run in bundle.runs]
    groups = group_runs(runs)
    answers = [(group, answer_needs(group)) for group in groups]
    sections: list[Section] = list(changes.sections) if changes else []
    for group, found in answers:
        if len(groups) == 1 or any(answer.runner_up for answer in found):
            sections.append(_needs_section(group, found, only=len(groups) == 1))
    rows = engine_rows(groups)
    sections.append(_engines_section(rows))
    sections.extend(more)
    for group in groups:
        sections.extend(comparison_sections(group))
        sections.extend(group_figures(group))
        sections.extend(limits_sections(group))
    sections += [
        _marks_section(runs),
        _points_section(runs),
        beside_spark_section(rows),
        *reference_sections(bundles),
    ]
    compared = any(answer.runner_up for _, found in answers for answer in found)
    headline = _headline(answers) if compared or not changes else ""
    if changes:
        headline = f"{changes.sentence} {headline}".strip()
    return Report(title, headline, _lead(runs), tuple(sections), report_facts(runs, groups))


def _headline(answers: Sequence[tuple[Group, list[Answer]]]) -> str:
    """The answers for many users and for one, of the group that compares the most."""
    found = next((found for _, found in answers if found), [])
    wanted = [answer for answer in found if answer.need.question in ("Many users, most text", "One user, fastest text")]
    if not wanted:
        return "No valid run: nothing can be concluded yet."
    if not any(answer.runner_up for answer in found):
        figures = ", ".join(f"{a.need.quantity} {quantity(a.value, a.need.unit)}" for a in reversed(wanted))
        how = "simulated" if wanted[0].origin == "simulated" else "measured"
        return f"Only {wanted[0].winner} was {how} ({figures}): a comparison needs a second engine or precision."
    sentences = []
    for answer in reversed(wanted):
        value = quantity(answer.value, answer.need.unit)
        sentence = answer.need.sentence.format(winner=answer.winner, value=value)
        if answer.runner_up and answer.shown and answer.runner_up_value:
            sentence += f" (next: {answer.runner_up}, {quantity(answer.runner_up_value, answer.need.unit)})"
        else:
            sentence += " (no difference shown)" if answer.runner_up else " (the only one measured so)"
        sentences.append(f"{sentence}.")
    return " ".join(sentences)


def _lead(runs: Sequence[Run]) -> str:
    requests = sum(len(run.records) for run in runs)
    invalid = sum(not run.valid for run in runs)
    marked = f", {invalid} of them marked invalid" if invalid else ""
    dates = sorted({str(run.provenance.get("date", ""))[:10] for run in runs} - {""})
    made = "Simulated" if runs and all(run.origin == "simulated" for run in runs) else "Measured"
    when = f" {made} {dates[0]}" + (f" to {dates[-1]}." if len(dates) > 1 else ".") if dates else ""
    return f"From {requests:,} requests in {len(runs)} runs{marked}.{when}"


def _needs_section(group: Group, answers: Sequence[Answer], *, only: bool) -> Section:
    rows = tuple(
        (
            answer.need.question,
            answer.winner,
            f"{answer.need.quantity} {quantity(answer.value, answer.need.unit)}",
            answer.because,
            answer.condition,
            answer.origin,
        )
        for answer in answers
    )
    title = "Which engine for which need" + ("" if only else f": {group.title}")
    return Section(title, table=Table(NEED_COLUMNS, rows))


def _engines_section(rows: Sequence[EngineRow]) -> Section:
    def pair(stars: tuple[int, int] | None) -> str:
        return f"{stars[0]} / {stars[1]}" if stars else MISSING

    cells = tuple(
        (
            row.variant,
            row.model or MISSING,
            row.state,
            milliseconds(row.ttft_s),
            milliseconds(row.tpot_s),
            digits(row.prefill_tokens_per_s),
            digits(row.output_tokens_per_s),
            MISSING if row.at_concurrency is None else str(row.at_concurrency),
            pair(row.stars),
            pair(row.older_stars),
        )
        for row in rows
    )
    text = f"{RULE} The older course's stars are claims without a measurement, set beside yours for comparison."
    return Section("Every engine of the course", text, Table(ENGINE_COLUMNS, cells, frozenset(ENGINE_COLUMNS[3:])))


def _marks_section(runs: Sequence[Run]) -> Section:
    marked: dict[tuple[bool, str], tuple[list[str], list[str]]] = {}
    for run in runs:
        for note in run.notes:
            texts, where = marked.setdefault((not note.invalidates, note.kind), ([], []))
            texts.append(note.text)
            where.append(f"{variant_name(run)} {run.target.model}, {run.arrivals.label}")
    if not marked:
        return Section("Marks", "No run earned a mark: no errors, no missed load, nothing suspicious in the records.")
    rows = []
    for (harmless, _), (texts, where) in sorted(marked.items()):
        others = len(set(texts)) - 1
        text = texts[0] + (f" (and {others} more like it)" if others else "")
        rows.append(("care" if harmless else "invalid", text, "; ".join(dict.fromkeys(where))))
    text = "Invalid: the figures answer another question than the one asked. Care: one figure needs care."
    return Section("Marks", text, Table(("Mark", "What was seen", "Runs"), tuple(rows)))


def _points_section(runs: Sequence[Run]) -> Section:
    rows = tuple(_point_row(run, run.metrics) for run in runs)
    numeric = frozenset(POINT_COLUMNS[3:12])
    return Section("Every point", table=Table(POINT_COLUMNS, rows, numeric), folded=len(rows) > 12)


def _point_row(run: Run, metrics: Metrics) -> tuple[str, ...]:
    def pair(name: str) -> str:
        distribution = getattr(metrics, name)
        return f"{milliseconds(distribution.p50)} / {milliseconds(distribution.p99)}" if distribution else MISSING

    return (
        f"{variant_name(run)} {run.target.model}",
        lengths_text(run),
        run.arrivals.label,
        str(metrics.requests),
        str(metrics.errors),
        str(metrics.peak_in_flight),
        pair("ttft_s"),
        milliseconds(metrics.tpot_s.p50 if metrics.tpot_s else None),
        pair("itl_s"),
        milliseconds(metrics.e2e_s.p50 if metrics.e2e_s else None),
        digits(metrics.output_tokens_per_s),
        digits(metrics.input_tokens_per_s),
        "yes" if run.valid else "no",
        run.origin,
    )
