"""From masters to notebooks: `content/NN_stem` becomes notebooks/, labs/ and solutions/, byte for byte the same
each time. The engines' pages in docs/ are built with them.

The notebooks hold no outputs, except the verdict in each milestone cell of notebooks/ and solutions/: it is taken
from the milestone's definition, and the tests run the notebooks and compare (nbval compares text outputs of cells
tagged nbval-check-output). Nothing of an executed notebook can get into a built one.
"""

import ast
import json
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course import cost
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.files import write_text
from helpers.course.masters import (
    Cell,
    MasterError,
    milestone_calls,
    parse,
    solution_regions,
    with_run_dir,
    with_stubs,
    without_markers,
)
from helpers.course.metadata import METADATA
from helpers.course.mistakes import mistakes_json
from helpers.engines.pages import pages as engine_pages
from helpers.errors import MissingError

VIEWS = ("notebooks", "labs", "solutions")
DROPPED_TAG = {"labs": "solution-only", "solutions": "lab-only"}
CHECKED_TAG = "nbval-check-output"


def build_view(entry: Entry, view: str) -> str:
    """The text of one .ipynb.

    Raises:
        MasterError: the master breaks a rule.
        MissingError: there is no master.
    """
    master = entry.content / ("notebook.py" if view == "notebooks" else "lab.py")
    if not master.exists():
        raise MissingError(f"there is no {master}", "this is a learners' hand-out: it is built already", "./course lab")
    name = str(master.relative_to(entry.root))
    cells = parse(master.read_text(encoding="utf-8"), name)
    if view == "notebooks":
        _refuse_lab_parts(cells, name)
    else:
        _require_exercises(cells, entry, name)
        cells = [cell for cell in cells if DROPPED_TAG[view] not in cell.tags]
        cells = [with_stubs(cell, name) if view == "labs" else without_markers(cell) for cell in cells]
    _require_milestones(cells, entry, name)
    cells = _with_cost(with_run_dir(cells, entry.run_dir(view), name), entry, name)
    return notebook_text([_built(cell, index, entry, view) for index, cell in enumerate(cells, start=1)])


def notebook_text(cells: list[dict[str, Any]]) -> str:
    """A notebook in the form in which Jupyter itself writes it, keys sorted."""
    notebook = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def build_files(root: Path) -> dict[Path, str]:
    """Every built file with its content.

    Raises:
        MasterError: a master breaks a rule.
    """
    files = engine_pages(root)
    for entry in find_tasks(root):
        for view in VIEWS:
            files[entry.notebook(view)] = build_view(entry, view)
        mistakes = json.dumps(mistakes_json(entry), indent=1, sort_keys=True, ensure_ascii=False)
        files[entry.content / "mistakes.json"] = mistakes + "\n"
    return files


def differences(root: Path = ROOT) -> list[str]:
    """What a build would change: one line per file that is missing, differs, or has no master any more."""
    files = build_files(root)
    lines = []
    for path, text in files.items():
        if not path.exists():
            lines.append(f"{path.relative_to(root)}: missing")
        elif path.read_bytes() != text.encode():
            lines.append(f"{path.relative_to(root)}: differs from what it is made from")
    return lines + [f"{path.relative_to(root)}: has nothing it is made from" for path in _orphans(files, root)]


def build(root: Path = ROOT) -> list[Path]:
    """Write what differs and remove notebooks without a master; return the paths that changed."""
    files = build_files(root)
    changed = [path for path, text in files.items() if not path.exists() or path.read_bytes() != text.encode()]
    for path in changed:
        write_text(path, files[path])
    orphans = _orphans(files, root)
    for path in orphans:
        path.unlink()
    return changed + orphans


def _orphans(files: dict[Path, str], root: Path) -> list[Path]:
    found = [path for view in VIEWS for path in sorted((root / view).glob("*.ipynb"))]
    return [path for path in [*found, *sorted((root / "docs" / "engines").glob("*.md"))] if path not in files]


def _with_cost(cells: list[Cell], entry: Entry, name: str) -> list[Cell]:
    if any(cell.id == cost.CELL_ID for cell in cells):
        raise MasterError(f"{name}: the cell {cost.CELL_ID!r} is built, not written")
    return [cells[0], Cell(cost.CELL_ID, cost.cost_text(entry), True, (cost.TAG,), cells[0].line), *cells[1:]]


def _built(cell: Cell, index: int, entry: Entry, view: str) -> dict[str, Any]:
    kept_tags = [tag for tag in cell.tags if tag in ("parameters", cost.TAG)]
    source = cell.source.splitlines(keepends=True)
    if cell.markdown:
        metadata = {"tags": kept_tags} if kept_tags else {}
        return {"cell_type": "markdown", "id": cell.id, "metadata": metadata, "source": source}
    built: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": cell.id,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    for milestone_id in milestone_calls(cell) if view != "labs" else []:
        milestone = entry.milestone(milestone_id)
        built["execution_count"] = index
        built["outputs"] = [
            {
                "data": {"text/plain": [milestone.embedded_text]},
                "execution_count": index,
                "metadata": {},
                "output_type": "execute_result",
            }
        ]
        # A verdict not-run here may be reached where an engine is installed: only `reached` is compared.
        if milestone.embedded == "reached":
            kept_tags.append(CHECKED_TAG)
    if kept_tags:
        built["metadata"] = {"tags": kept_tags}
    return built


def _refuse_lab_parts(cells: list[Cell], name: str) -> None:
    for cell in cells:
        if solution_regions(cell, name) or "lab-only" in cell.tags or "solution-only" in cell.tags:
            raise MasterError(f"{name}:{cell.line}: solution regions and lab tags belong into lab.py")


def _require_exercises(cells: list[Cell], entry: Entry, name: str) -> None:
    by_id = {cell.id: cell for cell in cells}
    for exercise in entry.task.exercises:
        cell = by_id.get(exercise.id)
        if cell is None or not solution_regions(cell, name) or f"def {exercise.function}(" not in cell.source:
            raise MasterError(f"{name}: no cell {exercise.id!r} defines {exercise.function} with a solution region")


def _require_milestones(cells: list[Cell], entry: Entry, name: str) -> None:
    called = []
    for cell in cells:
        ids = milestone_calls(cell)
        if not ids:
            continue
        if ids[0] not in [milestone.id for milestone in entry.task.milestones]:
            raise MasterError(f"{name}:{cell.line}: there is no milestone {ids[0]!r} in task.py")
        last = ast.parse(cell.source).body[-1]
        shown_last = isinstance(last, ast.Expr) and ast.unparse(last).startswith("helpers.milestone(")
        if len(ids) > 1 or cell.id != entry.milestone(ids[0]).cell_id or not shown_last:
            raise MasterError(
                f"{name}:{cell.line}: the milestone {ids[0]} needs a cell of its own",
                "",
                f"give it the id {entry.milestone(ids[0]).cell_id!r} and end it with the call",
            )
        called += ids
    missing = [milestone.id for milestone in entry.task.milestones if milestone.id not in called]
    if missing or len(set(called)) != len(called):
        raise MasterError(f"{name}: each milestone needs one cell; missing: {', '.join(missing) or 'none'}")
