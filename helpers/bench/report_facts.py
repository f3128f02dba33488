"""The first screen of a report beside its headline: what was measured, on what, under which load, and if it holds."""

from collections.abc import Iterable, Sequence

from helpers.bench.groups import Group, lengths_text, variant_name
from helpers.bench.run import Run

MOST_NAMES = 6


def report_facts(runs: Sequence[Run], groups: Sequence[Group]) -> tuple[tuple[str, str], ...]:
    """(name, text) in the order in which they are read; empty without runs."""
    if not runs:
        return ()
    invalid = sum(not run.valid for run in runs)
    careful = sum(run.valid and bool(run.notes) for run in runs)
    origins = [run.origin for run in runs]
    state = ", ".join(f"{origins.count(origin)} {origin}" for origin in dict.fromkeys(origins))
    doubts = [f"{invalid} invalid" if invalid else "", f"{careful} to be read with care" if careful else ""]
    return (
        ("Engines", _few(variant_name(run) for run in runs)),
        ("Model", _few(group.model for group in groups)),
        ("On", _few(group.machine for group in groups)),
        ("Load", _few(run.arrivals.label for run in runs)),
        ("Tokens in / out", _few(lengths_text(run) for run in runs)),
        ("Origin", f"{state} run{'s' if len(runs) > 1 else ''}"),
        ("Marks", ", ".join(filter(None, doubts)) or "none: every run is valid"),
    )


def _few(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = len(unique) - MOST_NAMES
    return "; ".join(unique[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
