"""Submissions that are more alike than the task makes them: a reason to look, never a verdict.

Compared is what learners wrote themselves: cells that differ from the lab's, in a normal form without names,
comments, docstrings and annotations, as the set of its runs of K tokens. What the lab gives and what the course's
solution says is taken out first, because short right answers are alike by nature; a run that many learners have
weighs little (by the logarithm of their number, as in document search: Sparck Jones 1972).
"""

import ast
import builtins
import functools
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.course.catalogue import Entry

K = 6
"""Tokens in a run: long enough that idioms (`for x in y:`) are none, short enough to survive a changed line."""

LEAST_SHARE = 0.6
LEAST_RUNS = 25
"""Below these two a pair is not shown: honest pairs share a line or two."""

FEW, COMMON = 4, 0.2
"""A run that more learners have than this share of the class (and than these few) makes no pair by itself."""

LARGEST_NOTEBOOK_BYTES = 5_000_000
TOKEN = re.compile(r"\w+|[^\w\s]")
KEPT_NAMES = frozenset(dir(builtins)) | {"helpers", "np", "math", "json", "re", "itertools"}

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two learners whose work on one task is alike.

    Attributes:
        share: of the one with less of its own, how much the other has too, weighed; 0 to 1.
        cells: ids of the cells that coincide most, and how many runs each.
        same_lines: lines that are equal word for word, names and comments included.
    """

    task: str
    one: str
    other: str
    share: float
    cells: tuple[tuple[str, int], ...]
    same_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    """One learner's own runs, each with the cells it is in, and their own lines."""

    runs: Mapping[Run, frozenset[str]]
    lines: frozenset[str]


def find_similar(entry: Entry, notebooks: Mapping[str, Path]) -> list[Pair]:
    """Pairs of learners, the most alike first.

    Args:
        entry: the task.
        notebooks: learner -> the notebook that was handed in, or executed; one that cannot be read is left out.
    """
    given = [read_cells(entry.notebook(view)) for view in ("labs", "solutions")]
    given_runs = {run for cells in given for source in cells.values() for run in _runs(source)}
    given_lines = {line for cells in given for source in cells.values() for line in _lines(source)}
    work = {
        learner: _own(read_cells(path), given[0], given_runs, given_lines)
        for learner, path in sorted(notebooks.items())
    }
    holders: dict[Run, list[str]] = {}
    for learner, one in work.items():
        for run in one.runs:
            holders.setdefault(run, []).append(learner)
    weights = {run: math.log((len(work) + 1) / len(who)) for run, who in holders.items()}
    most = max(FEW, int(COMMON * len(work)))
    shared = Counter(
        couple for who in holders.values() if len(who) <= most for couple in itertools.combinations(who, 2)
    )
    totals = {learner: _weight(one.runs, weights) for learner, one in work.items()}
    pairs = [
        _compare(entry.stem, (one, other), work, weights, min(totals[one], totals[other]))
        for (one, other), count in sorted(shared.items())
        if count >= LEAST_RUNS
    ]
    return sorted((pair for pair in pairs if pair.share >= LEAST_SHARE), key=lambda pair: -pair.share)


def read_cells(path: Path) -> dict[str, str]:
    """Code cells of a notebook, id -> source; empty if it is none, or too large."""
    try:
        if path.stat().st_size > LARGEST_NOTEBOOK_BYTES:
            return {}
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return {
            str(cell.get("id", number)): "".join(cell["source"])
            for number, cell in enumerate(cells)
            if cell["cell_type"] == "code"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def normal_form(source: str) -> str:
    """Code without names, comments, docstrings and annotations; as it is, if it is not Python."""
    try:
        tree = ast.parse(source)
        return ast.unparse(_Normal().visit(tree))
    except (SyntaxError, ValueError, RecursionError):
        return source


class _Normal(ast.NodeTransformer):
    """Names that a learner may choose become `v`; names of builtins and of the course's modules stay."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in KEPT_NAMES else ast.Name("v", node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("v", None)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        return self.generic_visit(
            ast.FunctionDef("v", node.args, body or [ast.Pass()], node.decorator_list, None, lineno=node.lineno)
        )


def _own(cells: Mapping[str, str], lab: Mapping[str, str], given_runs: set[Run], given_lines: set[str]) -> _Work:
    changed = {cell: source for cell, source in cells.items() if source != lab.get(cell)}
    runs: dict[Run, set[str]] = {}
    for cell, source in changed.items():
        for run in set(_runs(source)) - given_runs:
            runs.setdefault(run, set()).add(cell)
    lines = {line for source in changed.values() for line in _lines(source)} - given_lines
    return _Work({run: frozenset(where) for run, where in runs.items()}, frozenset(lines))


def _compare(
    stem: str, couple: tuple[str, str], work: Mapping[str, _Work], weights: Mapping[Run, float], least: float
) -> Pair:
    mine, theirs = work[couple[0]], work[couple[1]]
    shared = mine.runs.keys() & theirs.runs.keys()
    cells = Counter(cell for run in shared for cell in mine.runs[run] & theirs.runs[run])
    ordered = sorted(cells.items(), key=lambda item: (-item[1], item[0]))
    same_lines = tuple(sorted(mine.lines & theirs.lines))
    return Pair(stem, *couple, _weight(shared, weights) / least, tuple(ordered[:6]), same_lines)


def _weight(runs: Iterable[Run], weights: Mapping[Run, float]) -> float:
    # Exact, so that the same class gives the same digits in whatever order a set is walked.
    return math.fsum(weights[run] for run in runs)


@functools.lru_cache(maxsize=4096)
def _runs(source: str) -> tuple[Run, ...]:
    """The runs of a cell; most learners leave most cells as they are, so each is taken apart once."""
    tokens: Sequence[str] = TOKEN.findall(normal_form(source))
    return tuple(tuple(tokens[start : start + K]) for start in range(len(tokens) - K + 1))


def _lines(source: str) -> list[str]:
    return [line for line in map(str.strip, source.splitlines()) if len(line) >= 12]
