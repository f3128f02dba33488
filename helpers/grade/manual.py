"""What a person judges: OUT/manual.csv, one row per learner, two columns (points, comment) per manual item.

The grader makes the file and adds rows for new learners; it never changes what somebody wrote. An empty cell is not
yet judged and costs nothing. Spreadsheets' own forms are read: semicolons, a byte order mark, a decimal comma.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.course.files import write_text
from helpers.errors import UsageError
from helpers.grade.results import Item, ItemState
from helpers.grade.rubric import ManualColumn
from helpers.grade.tables import csv_text, unguard

FILE = "manual.csv"
LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Judged:
    """Points and comment of one cell pair; None while nobody has judged."""

    points: float | None = None
    comment: str = ""


def merge_manual(out: Path, columns: Sequence[ManualColumn], learners: Sequence[str]) -> dict[tuple[str, str], Judged]:
    """Read what was judged, (learner, item) -> judged, and add rows and columns that are missing.

    Raises:
        UsageError: the file has no column `learner`, or a cell holds no points from 0 to the column's maximum.
    """
    if not columns:
        return {}
    path = out / FILE
    header, rows = _read(path)
    wanted = [name for column in columns for name in (column.id, _comment(column))]
    missing = [name for name in wanted if name not in header]
    present = {row[LEARNER] for row in rows}
    new = [learner for learner in learners if learner not in present]
    if missing or new:
        _write(path, [*header, *missing], [*rows, *({LEARNER: learner} for learner in new)])
    return {
        (row[LEARNER], column.id): Judged(
            _points(row.get(column.id, ""), column, row[LEARNER], path), row.get(_comment(column), "")
        )
        for row in rows
        for column in columns
    }


def manual_item(column: ManualColumn, judged: Judged) -> Item:
    """The item that stands beside those of the grader."""
    if judged.points is None:
        return Item(column.id, "manual", column.title, 0.0, 0.0, "not-run", judged.comment or "not judged yet")
    share = judged.points / column.max_points if column.max_points else 1.0
    state: ItemState = "passed" if share >= 1 else "partial" if share > 0 else "failed"
    return Item(column.id, "manual", column.title, judged.points, column.max_points, state, judged.comment)


def _comment(column: ManualColumn) -> str:
    return f"{column.id} comment"


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.exists():
        return [LEARNER], []
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    rows = [{name: unguard(value or "") for name, value in row.items() if name is not None} for row in reader]
    header = list(reader.fieldnames or [])
    if LEARNER not in header:
        raise UsageError(f"{path} has no column {LEARNER!r}", "its header was changed", f"mend it, or remove {path}")
    return header, rows


def _write(path: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    write_text(path, csv_text(header, [[row.get(name, "") for name in header] for row in rows]))


def _points(cell: str, column: ManualColumn, learner: str, path: Path) -> float | None:
    if not cell.strip():
        return None
    try:
        points = float(cell.strip().replace(",", "."))
    except ValueError:
        points = -1.0
    if not 0 <= points <= column.max_points:
        raise UsageError(
            f"{path}: {column.id} of {learner} is {cell!r}", f"points lie between 0 and {column.max_points:g}", ""
        )
    return points
