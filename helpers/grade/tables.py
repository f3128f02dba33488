"""CSV as spreadsheets may open it: no cell is run as a formula, whatever a learner calls themselves."""

import csv
import io
from collections.abc import Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets; learners choose their names."""


def guard(text: str) -> str:
    """A text as one cell: one line, and no formula."""
    line = " ".join(text.split()) if "\n" in text or "\r" in text else text
    return f"'{line}" if line.startswith(FORMULA) else line


def unguard(cell: str) -> str:
    """What `guard` made a cell of."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def number(value: float) -> str:
    """Four decimals at most, none that say nothing."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """A table with its header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([guard(value) if isinstance(value, str) else number(value) for value in row] for row in rows)
    return text.getvalue()
