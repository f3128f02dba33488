"""From a file that was handed in to a notebook that may be run: read with care, freed of everything that lies.

Removed: stored outputs and execution counts, all metadata with its tags (`skip-execution`, `raises-exception`), the
kernel it asks for. Cells are put back into the lab's order, missing ones put in; what was restored is told.

| cell of the lab                                  | what is run                                                       |
|--------------------------------------------------|-------------------------------------------------------------------|
| with a solution region                           | the learner's                                                     |
| `parameters`, `run-dir`, `milestone-...`         | the lab's                                                         |
| `check-` and the id of an exercise               | nothing: exercises are judged outside this kernel                 |
| any other                                        | the learner's, if all statements of the lab's are in it (the      |
|                                                  | values of plain constants may be others); else the lab's          |
| none of the lab's                                | the learner's, where it stood                                     |
"""

import ast
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.course.build import notebook_text
from helpers.course.catalogue import Entry
from helpers.course.execution import TaskOutcome
from helpers.course.files import read_json
from helpers.errors import MissingError

TODO_CALL = "helpers.ExerciseTodo("
OWN_CELLS = ("parameters", "run-dir", "milestone-")
JUDGED_OUTSIDE = "# Exercises are judged outside this kernel."
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
MOST_CELLS = 1000
LONGEST_CELL_BYTES = 1_000_000


class Refused(Exception):
    """The file is not run; outcome and reason are the unit's."""

    def __init__(self, outcome: TaskOutcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome: TaskOutcome = outcome
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read of a cell; `id` is empty where the file had none."""

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sanitised:
    """The text of the notebook to run, its cells that are not the lab's own, and a line for each thing restored."""

    text: str
    theirs: tuple[Cell, ...]
    notes: tuple[str, ...]


def sanitise(path: Path, entry: Entry, most_bytes: int, *, checks: bool = False) -> Sanitised:
    """Make a notebook that may be run of a file that was handed in.

    Args:
        path: the file.
        entry: the task.
        most_bytes: a larger file is refused.
        checks: leave the exercises' checks in, which end the notebook at the first that does not hold.

    Raises:
        Refused: it is no notebook, is too large, or has two different cells of one id.
        MissingError: the lab it belongs to was not built.
    """
    lab = read_lab(entry)
    cells, notes = _identified(_without_twins(read_cells(path, most_bytes)), lab), []
    known = {cell.id for cell in lab}
    silent = set() if checks else {f"check-{exercise.id}" for exercise in entry.task.exercises}
    theirs = {cell.id: cell for cell in cells if cell.id in known}
    order = [cell.id for cell in cells if cell.id in known]
    if order != [cell.id for cell in lab if cell.id in theirs]:
        notes.append("cells stood in another order than in the lab; the lab's order was restored")
    missing = [cell.id for cell in lab if cell.kind == "code" and cell.id not in theirs]
    if missing:
        notes.append(f"missing cells of the lab were put in again: {_listed(missing)}")
    extra = _extra_cells(cells, known)
    chosen, restored = list(extra.get("", ())), []
    for cell in lab:
        kept = Cell(cell.id, "code", JUDGED_OUTSIDE) if cell.id in silent else _choose(cell, theirs.get(cell.id))
        if cell.id in theirs and kept is cell and not _alike(cell, theirs[cell.id]):
            restored.append(cell.id)
        chosen += [kept, *extra.get(cell.id, ())]
    if restored:
        notes.append(f"changed cells of the lab were restored: {_listed(restored)}")
    own = {cell.id: JUDGED_OUTSIDE if cell.id in silent else cell.source for cell in lab}
    written = tuple(cell for cell in chosen if own.get(cell.id) != cell.source)
    text = notebook_text([_built(cell, number) for number, cell in enumerate(chosen)])
    return Sanitised(text, written, tuple(notes))


def read_cells(path: Path, most_bytes: int) -> list[Cell]:
    """Read a notebook's cells without believing anything about the file.

    Raises:
        Refused: it is no notebook, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Refused("error", f"the file cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("error", "it is no regular file")
        if status.st_size > most_bytes:
            raise Refused("error", f"the file has {status.st_size:,} bytes, more than {most_bytes:,}")
        content = file.read(most_bytes + 1)
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused("error", f"it is not a notebook: {_one_line(error)}") from error
    if not isinstance(notebook, Mapping) or not isinstance(notebook.get("cells"), list):
        raise Refused("error", "it is not a notebook of format 4; open it in JupyterLab and save it again")
    if len(notebook["cells"]) > MOST_CELLS:
        raise Refused("error", f"it has {len(notebook['cells']):,} cells, more than {MOST_CELLS:,}")
    return [_read_cell(cell, number) for number, cell in enumerate(notebook["cells"], start=1)]


def read_lab(entry: Entry) -> list[Cell]:
    """The cells of the lab as it was handed out.

    Raises:
        MissingError: it was not built.
    """
    notebook = read_json(entry.notebook("labs"))
    if notebook is None:
        raise MissingError(f"{entry.notebook('labs')} is missing", "it was not built", "./course build")
    return [_read_cell(cell, number) for number, cell in enumerate(notebook["cells"], start=1)]


def _read_cell(cell: Any, number: int) -> Cell:
    if not isinstance(cell, Mapping):
        raise Refused("error", f"cell {number} is not a cell")
    source, kind, cell_id = cell.get("source", ""), cell.get("cell_type"), cell.get("id", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or kind not in ("code", "markdown", "raw") or not isinstance(cell_id, str):
        raise Refused("error", f"cell {number} is not a cell")
    if len(source) > LONGEST_CELL_BYTES:
        raise Refused("error", f"cell {number} is longer than {LONGEST_CELL_BYTES:,} characters")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise Refused("error", f"cell {number} holds what is no text: {_one_line(error)}") from error
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else ()
    tags = tags if isinstance(tags, list) else ()
    return Cell(cell_id[:64], kind, source, tuple(tag for tag in tags if isinstance(tag, str)))


def _without_twins(cells: Sequence[Cell]) -> list[Cell]:
    """Of cells that are the same twice, one; tools that split or copy cells leave such."""
    seen: dict[str, Cell] = {}
    kept = []
    for cell in cells:
        twin = seen.get(cell.id) if cell.id else None
        if twin is None:
            seen[cell.id] = cell
            kept.append(cell)
        elif cell.kind == "code" and not _same(twin, cell):
            raise Refused("tampered", f"two different cells have the id {cell.id!r}; which of them counts?")
    return kept


def _identified(cells: Sequence[Cell], lab: Sequence[Cell]) -> list[Cell]:
    """Give cells without an id (notebook format 4.4 and older) that of the lab's cell they are, or were made from."""
    if all(cell.id for cell in cells):
        return list(cells)
    free = {cell.id: cell for cell in lab if cell.id not in {other.id for other in cells}}
    by_source = {cell.source.strip(): cell.id for cell in free.values()}
    by_name = {name: cell.id for cell in free.values() if TODO_CALL in cell.source for name in _defined(cell.source)}
    found: set[str] = set()
    named = []
    for cell in cells:
        wanted = cell.id or by_source.get(cell.source.strip(), "") or next(iter({"parameters"} & set(cell.tags)), "")
        if not wanted and cell.kind == "code":
            wanted = next((by_name[name] for name in _defined(cell.source) if name in by_name), "")
        if wanted in found:
            wanted = ""
        found |= {wanted} - {""}
        named.append(Cell(wanted, cell.kind, cell.source, cell.tags))
    return named


def _extra_cells(cells: Sequence[Cell], known: set[str]) -> dict[str, list[Cell]]:
    """Cells that are none of the lab's, under the id of the lab's cell they stood behind."""
    extra: dict[str, list[Cell]] = {}
    behind = ""
    for cell in cells:
        if cell.id in known:
            behind = cell.id
        else:
            extra.setdefault(behind, []).append(Cell("", cell.kind, cell.source))
    return extra


def _choose(lab: Cell, theirs: Cell | None) -> Cell:
    if theirs is None or theirs.kind != lab.kind or lab.id.startswith(OWN_CELLS):
        return lab
    if lab.kind != "code" or TODO_CALL in lab.source or _holds_all(theirs.source, lab.source):
        return Cell(lab.id, lab.kind, theirs.source, lab.tags)
    return lab


def _holds_all(theirs: str, lab: str) -> bool:
    """True if every statement of the lab's cell is in theirs, in order; constants may have other values."""
    if theirs.strip() == lab.strip():
        return True
    try:
        wanted, given = ast.parse(lab).body, ast.parse(theirs).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    rest = iter([_key(statement) for statement in given])
    return all(key in rest for key in map(_key, wanted))


def _key(statement: ast.stmt) -> str:
    """What must be the same in a statement: of an assignment of a plain constant only the names."""
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        calls = (ast.Call, ast.Await, ast.Name, ast.Attribute)
        if not any(isinstance(node, calls) for node in ast.walk(statement.value)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return " = ".join(ast.unparse(target) for target in targets)
    return ast.unparse(statement)


def _defined(source: str) -> list[str]:
    try:
        return [node.name for node in ast.parse(source).body if isinstance(node, DEFINITIONS)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _same(one: Cell, other: Cell) -> bool:
    return one.kind == other.kind and (one.kind != "code" or one.source.strip() == other.source.strip())


def _alike(lab: Cell, theirs: Cell) -> bool:
    """True if nothing worth telling is lost where the lab's cell replaces theirs."""
    return _same(lab, theirs) or (lab.kind == theirs.kind and _holds_all(theirs.source, lab.source))


def _built(cell: Cell, number: int) -> dict[str, Any]:
    tags = [tag for tag in cell.tags if tag == "parameters"]
    built: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": cell.id or f"added-{number}",
        "metadata": {"tags": tags} if tags else {},
        "source": cell.source.splitlines(keepends=True),
    }
    return built if cell.kind != "code" else {**built, "execution_count": None, "outputs": []}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
