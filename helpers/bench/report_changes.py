"""What changed between two sets of bundles: figures under the same load, and the circumstances that differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.bench.bundle import Bundle
from helpers.bench.findings import FIGURES
from helpers.bench.groups import lengths_text, machine_name, variant_name
from helpers.bench.report import Section, Table
from helpers.bench.run import Run
from helpers.bench.statistics import FEWEST_SAMPLES, Interval, unpaired_ratio
from helpers.bench.units import MISSING, digits

Bundles = Sequence[tuple[Path, Bundle]]
Key = tuple[str, str, str, str]
Runs = dict[Key, Run]
TEXT = (
    "After / before, for what both have measured under the same load. They did not take turns, so what the machine did "
    "in between is in the ratios; an interval (95 %) needs three repeats of both. Ratios whose interval contains 1, or "
    "that have none, stand in brackets. More is better for output tokens/s, less for TTFT and TPOT."
)


@dataclass(frozen=True, slots=True)
class Changes:
    """`sentence` is what follows, in one line; the sections hold figures and circumstances."""

    sentence: str
    sections: tuple[Section, ...]


def find_changes(before: Bundles, after: Bundles) -> Changes | None:
    """Compare every load that both sides have measured with the same engine, precision, model and lengths.

    Returns:
        None if there is no such load.
    """
    old, new = _runs(before), _runs(after)
    common = [key for key in new if key in old]
    if not common:
        return None
    name = f"{_names(before)} to {_names(after)}"
    rows = []
    shown = 0
    for key in common:
        intervals = [_ratio(old[key], new[key], quantity) for quantity in FIGURES]
        shown += sum(_is_shown(interval) for interval in intervals)
        variant, model, lengths, load = key
        rows.append((f"{variant} {model}", lengths, load, *map(_cell, intervals)))
    counted = (
        f"{shown} of {len(common) * len(FIGURES)} figures changed beyond their intervals, under {len(common)} "
        f"common load{'s' if len(common) > 1 else ''}."
    )
    table = Table(("Run", "Tokens in / out", "Load", *FIGURES), tuple(rows))
    sections = Section(f"What changed: {name}", f"{counted} {TEXT}", table), _circumstances(before, after)
    return Changes(f"From {name}: {_sentence(old, new, common)}", sections)


def _sentence(old: Runs, new: Runs, common: Sequence[Key]) -> str:
    """The change of the output rate under the busiest common load."""
    busiest = max(common, key=lambda key: new[key].metrics.peak_in_flight)
    quantity = next(iter(FIGURES))
    variant, model, _, load = busiest
    value = _ratio(old[busiest], new[busiest], quantity)
    if value is None:
        return f"no {quantity.lower()} of {variant} {model} at {load} on both sides."
    where = f"{quantity.lower()} of {variant} {model} at {load}"
    if not isinstance(value, Interval):
        return f"{where} {digits(value)} times (too few repeats for an interval)."
    if value.contains(1.0):
        return f"no change shown in {where} (ratio {digits(value.low)} to {digits(value.high)})."
    return f"{where} {digits(value.estimate)} times ({digits(value.low)} to {digits(value.high)})."


def _circumstances(before: Bundles, after: Bundles) -> Section:
    old, new = _facts(before), _facts(after)
    rows = tuple((name, old.get(name, MISSING), new.get(name, MISSING)) for name in dict.fromkeys([*old, *new]))
    differing = tuple(row for row in rows if row[1] != row[2])
    if not differing:
        return Section("What differs in the circumstances", "Nothing that a bundle records: machine, software, load.")
    return Section("What differs in the circumstances", table=Table(("", "Before", "After"), differing))


def _facts(bundles: Bundles) -> dict[str, str]:
    facts: dict[str, dict[str, None]] = {}
    for _, bundle in bundles:
        provenance = bundle.provenance
        load = provenance.get("load_average")
        found = {
            "Machine": machine_name(bundle.runs[0]) if bundle.runs else MISSING,
            "Commit": str(provenance.get("git_commit") or MISSING),
            "Python": str(provenance.get("python", MISSING)),
            "Load average at the start": MISSING if load is None else f"{load:.1f}",
            **{name: number for name, number in provenance.get("versions", {}).items() if number},
        }
        for run in bundle.runs:
            facts.setdefault(f"Engine {variant_name(run)}", {})[run.target.backend or MISSING] = None
        for name, text in found.items():
            facts.setdefault(name, {})[text] = None
    return {name: "; ".join(texts) for name, texts in facts.items()}


def _runs(bundles: Bundles) -> Runs:
    runs = [run for _, bundle in bundles for run in bundle.runs if run.valid]
    return {(variant_name(run), run.target.model, lengths_text(run), run.arrivals.label): run for run in runs}


def _ratio(old: Run, new: Run, quantity: str) -> Interval | float | None:
    """With its interval, as a bare number where there are too few repeats, None where a figure is missing."""
    figure = FIGURES[quantity]
    before, after = figure(old.metrics), figure(new.metrics)
    if not before or not after:
        return None
    sides = [[value for each in run.repeat_metrics if (value := figure(each))] for run in (old, new)]
    if min(map(len, sides)) < FEWEST_SAMPLES:
        return after / before
    return unpaired_ratio(*sides)


def _is_shown(value: Interval | float | None) -> bool:
    return isinstance(value, Interval) and not value.contains(1.0)


def _cell(value: Interval | float | None) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Interval):
        text = f"{digits(value.estimate)}, {digits(value.low)} to {digits(value.high)}"
        return text if _is_shown(value) else f"({text})"
    return f"({digits(value)}, no interval)"


def _names(bundles: Bundles) -> str:
    folders = [folder.name for folder, _ in bundles]
    return folders[0] if len(folders) == 1 else f"{folders[0]} and {len(folders) - 1} more"
