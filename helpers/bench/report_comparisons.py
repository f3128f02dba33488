"""Differences with intervals: every variant against the first one, under the same load, repeat by repeat."""

from helpers.bench.findings import FIGURES, paired_ratio
from helpers.bench.groups import Group, lengths_text, origin_text, variant_name
from helpers.bench.plots_cause import comparison
from helpers.bench.report import Section, Table
from helpers.bench.run import Run
from helpers.bench.statistics import Interval
from helpers.bench.units import MISSING, digits

TEXT = (
    "Ratios to the first one, with 95 % intervals: repeats are paired in the order they ran, the interval is a "
    "bootstrap of the pairs' ratios. An interval that contains 1 shows no difference; such ratios stand in brackets. A "
    "star marks an interval of fewer than five repeats: it is too narrow. "
    "More is better for output tokens/s, less for TTFT and TPOT."
)


def comparison_sections(group: Group) -> list[Section]:
    """A table of ratios and a figure of the busiest load; empty where no two runs can be paired."""
    conditions: dict[tuple[str, str], dict[str, Run]] = {}
    for run in group.runs:
        if run.valid:
            conditions.setdefault((lengths_text(run), run.arrivals.label), {})[variant_name(run)] = run
    rows: list[tuple[str, ...]] = []
    busiest: tuple[int, str, str, dict[str, Interval]] = (0, "", "", {})
    for (lengths, load), runs in conditions.items():
        baseline, *others = runs.values()
        ratios = {
            variant_name(run): [paired_ratio(baseline, run, figure) for figure in FIGURES.values()] for run in others
        }
        ratios = {name: found for name, found in ratios.items() if any(found)}
        name = variant_name(baseline)
        rows += [(f"{other} / {name}", lengths, load, *map(_cell, found)) for other, found in ratios.items()]
        rates = {other: found[0] for other, found in ratios.items() if found[0]}
        if rates and (baseline.concurrency or 0) > busiest[0]:
            busiest = (baseline.concurrency or 0, name, load, rates)
    if not rows:
        return []
    _, name, load, rates = busiest
    figures = (comparison(rates, name, f"Output tokens/s at {load}"),) if rates else ()
    table = Table(("Ratio of", "Tokens in / out", "Load", *FIGURES), tuple(rows))
    text = f"{TEXT} {origin_text(group.runs)}"
    return [Section(f"Differences with intervals: {group.title}", text, table, figures)]


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return MISSING
    text = f"{digits(interval.estimate)}, {digits(interval.low)} to {digits(interval.high)}"
    if interval.caveat:
        text += "*"
    return f"({text})" if interval.contains(1.0) else text
