"""Tables in notebooks: rows as dictionaries in, one look out, and the same table into a report."""

from collections.abc import Mapping, Sequence

from helpers.bench.report import Table
from helpers.bench.units import MISSING, digits
from helpers.errors import UsageError

Value = str | float | bool | None


class NotebookTable(Table):
    """A report's table that a notebook shows when it is a cell's last line."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        rules = ("---:" if column in self.numeric else ":---" for column in self.columns)
        lines = [self.columns, tuple(rules), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

    def __repr__(self) -> str:
        return self._repr_markdown_()


def table(rows: Sequence[Mapping[str, Value]]) -> NotebookTable:
    """Rows for people: three significant digits, a dash for None, yes and no.

    Args:
        rows: each the same columns; units belong into the column's name, as in "TTFT p50, ms".

    Raises:
        UsageError: no rows, or rows with different columns.
    """
    if not rows:
        raise UsageError("a table needs at least one row", "nothing was measured yet", "run the cells above")
    columns = tuple(rows[0])
    odd = next((row for row in rows if tuple(row) != columns), None)
    if odd is not None:
        raise UsageError(f"a row has the columns {', '.join(odd)}", f"the first row has {', '.join(columns)}")
    numeric = frozenset(c for c in columns if any(type(row[c]) in (int, float) for row in rows))
    return NotebookTable(columns, tuple(tuple(_cell(row[column]) for column in columns) for row in rows), numeric)


def _cell(value: Value) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return digits(float(value)) if not isinstance(value, str) else value
