"""What the comparisons share: a sitting's repeats and circumstances, medians with their spread, tables in README.md.

A sitting is one run of one script: repeats are interleaved, so that the machine's slow minutes fall on all sides.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from helpers.bench.provenance import git_commit
from helpers.hardware import read_hardware

FOLDER = Path(__file__).resolve().parent
README = FOLDER / "README.md"


@dataclass(frozen=True)
class Bar:
    """A goal: `value` is the median over the repeats, of ratios or differences within one repeat."""

    what: str
    goal: str
    value: float
    held: bool
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def at_least(what: str, values: Sequence[float], bound: float, unit: str = "") -> Bar:
    """A bar that holds from `bound` upwards."""
    value = median(values)
    return Bar(what, f">= {bound:g}{unit}", value, value >= bound, unit)


def at_most(what: str, values: Sequence[float], bound: float, unit: str = "") -> Bar:
    """A bar that holds up to `bound`."""
    value = median(values)
    return Bar(what, f"<= {bound:g}{unit}", value, value <= bound, unit)


class Named(Protocol):
    """A load; its name is a row's."""

    @property
    def name(self) -> str: ...  # noqa: D102


Load = TypeVar("Load", bound=Named)

QUICK_SHARE = 0.1
"""Of the requests, where a script is only tried out."""


def run_script(
    name: str,
    description: str,
    sit: Callable[[int, float], Iterator[dict[str, Any]]],
    render: Callable[[dict[str, Any]], str],
    find_bars: Callable[[dict[str, Any]], list[Bar]],
) -> int:
    """A comparison's command line: measure, keep what there is after each repeat, print.

    Args:
        name: of the results file and of the README's section.
        description: the script's docstring.
        sit: takes the number of repeats and the share of the requests; yields the result so far after each repeat.
        render: makes the section of a result.
        find_bars: the goals.

    Returns:
        The exit code: 1 if a goal was missed.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small repeat; nothing is kept")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    for result in sit(1 if arguments.quick else arguments.repeats, QUICK_SHARE if arguments.quick else 1.0):
        if not arguments.quick:
            keep(name, result, render)  # a stop loses only the repeat it falls into
    print(render(result))
    return 0 if all(bar.held for bar in find_bars(result)) else 1


def interleave(
    before: dict[str, Any],
    repeats: int,
    loads: Sequence[Load],
    sides: Sequence[str],
    measure: Callable[[Load, str], Any],
) -> Iterator[dict[str, Any]]:
    """Put each load on each side, the sides in another order in each repeat; the result so far, after each repeat.

    Args:
        before: the circumstances before anything was started.
        repeats: how often.
        loads: the rows.
        sides: what is compared.
        measure: one load on one side, once: a dataclass whose text is worth a line on the screen.
    """
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {load.name: {} for load in loads}
    for repeat in range(repeats):
        for load in loads:
            for side in rotated(sides, repeat):
                measured = measure(load, side)
                figures[load.name].setdefault(side, []).append(asdict(measured))
                print(f"{repeat + 1} {load.name:<20} {side:<9} {measured}", file=sys.stderr)
        yield {
            "circumstances": before,
            "load_average_after": round(os.getloadavg()[0], 1),
            "repeats": repeat + 1,
            "figures": figures,
        }


def circumstances() -> dict[str, Any]:
    """Date, machine and load as they are now; JSON-ready."""
    hardware = read_hardware()
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": hardware.processor,
        "cores": hardware.cores,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_average": round(os.getloadavg()[0], 1),
        "git_commit": git_commit(),
        "python": sys.version.split()[0],
    }


def describe(before: dict[str, Any], load_after: float, repeats: int) -> str:
    """The circumstances in a sentence."""
    commit = f", commit {before['git_commit']}" if before["git_commit"] else ""
    return (
        f"Measured {before['date'][:16].replace('T', ' ')} UTC on {before['processor']} ({before['cores']} cores, "
        f"{before['memory_gib']} GiB), loopback only, Python {before['python']}{commit}; load average "
        f"{before['load_average']} before and {load_after} after. Figures are the median (least to most) of {repeats} "
        "interleaved repeats; goals are taken from ratios and differences within each repeat."
    )


def rotated(names: Sequence[str], repeat: int) -> list[str]:
    """The sides in another order for each repeat."""
    start = repeat % len(names)
    return [*names[start:], *names[:start]]


def spread(values: Sequence[float], digits: int = 0, scale: float = 1.0) -> str:
    """Median (least to most)."""
    low, middle, high = (f"{value * scale:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def bar_table(bars: Sequence[Bar]) -> str:
    """The goals and what became of them."""
    rows = [[bar.what, bar.goal, f"{bar.value:,.2f}{bar.unit}", "yes" if bar.held else "**no**"] for bar in bars]
    return markdown_table(("goal", "wanted", "measured", "holds"), rows)


def keep(name: str, result: dict[str, Any], render: Callable[[dict[str, Any]], str]) -> None:
    """Write the sitting's figures to results/NAME.json and its tables into the README's section of that name."""
    file = FOLDER / "results" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n\n{render(result)}\n{end}{after}", encoding="utf-8")
