"""Masters: py:percent scripts whose cells all carry an id. Parsing and the rules; `build` makes notebooks of them.

    # %% [markdown] id="intro" tags=["lab-only"]
    # # A title
    # %% id="setup"
    import helpers

Stricter than the format at large, so that a slip is an error and not another notebook.
"""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from helpers.errors import UsageError

HEADER = re.compile(r'# %%(?P<markdown> \[markdown\])? id="(?P<id>[a-z0-9-]{1,64})"(?: tags=(?P<tags>\[[^\]]*\]))?')
BEGIN = re.compile(r"(?P<indent>\s*)### BEGIN SOLUTION(?: (?P<todo>.+))?")
END = re.compile(r"\s*### END SOLUTION")
TAGS = {"parameters", "lab-only", "solution-only"}
PARAMETERS = ("engine", "model", "quick", "seed", "run_dir")
LONGEST_LINE = 120
LONGEST_CELL_LINES = 20
"""Lines of code a learner takes in at once; longer cells are refused."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `source` is Markdown text or code; `line` is where its header stands in the master."""

    id: str
    source: str
    markdown: bool
    tags: tuple[str, ...]
    line: int


class MasterError(UsageError):
    """A master breaks a rule of content/README.md; the message names file and line."""


def parse(text: str, name: str) -> list[Cell]:
    """Split a master into cells.

    Args:
        text: the master's content.
        name: how errors call it.

    Raises:
        MasterError: a malformed header, a repeated id, an unknown tag, text before the first cell, a Markdown
            line that is no comment, or an unbalanced solution region.
    """
    cells: list[Cell] = []
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("# %%"):
            if cells:
                cells[-1] = _finished(cells[-1], lines, name)
            elif any(lines):
                raise MasterError(f"{name}:1: text before the first cell")
            cells.append(_header(line, name, number))
            lines = []
        else:
            lines.append(line)
    if not cells:
        raise MasterError(f"{name}: no cell")
    cells[-1] = _finished(cells[-1], lines, name)
    ids = [cell.id for cell in cells]
    for cell in cells:
        if ids.count(cell.id) > 1:
            raise MasterError(f"{name}:{cell.line}: the id {cell.id!r} is used {ids.count(cell.id)} times")
        solution_regions(cell, name)
        if not cell.markdown and cell.source.count("\n") >= LONGEST_CELL_LINES:
            raise MasterError(f"{name}:{cell.line}: the cell {cell.id!r} is longer than {LONGEST_CELL_LINES} lines")
    return cells


def solution_regions(cell: Cell, name: str) -> list[tuple[int, int]]:
    """First and last line (0-based, markers included) of each solution region of a cell.

    Raises:
        MasterError: regions are nested or unbalanced, or the to-do text is missing.
    """
    regions = []
    begin: int | None = None
    for index, line in enumerate(cell.source.splitlines()):
        where = f"{name}:{cell.line + 1 + index}"
        if "BEGIN SOLUTION" in line:
            match = BEGIN.fullmatch(line)
            if match is None or not match["todo"]:
                raise MasterError(f"{where}: write '### BEGIN SOLUTION what the learner is to do'")
            if begin is not None:
                raise MasterError(f"{where}: a solution region inside a solution region")
            begin = index
        elif "END SOLUTION" in line:
            if begin is None or not END.fullmatch(line):
                raise MasterError(f"{where}: '### END SOLUTION' without its beginning")
            regions.append((begin, index))
            begin = None
    if begin is not None:
        raise MasterError(f"{name}:{cell.line + 1 + begin}: the solution region never ends")
    return regions


def with_stubs(cell: Cell, name: str) -> Cell:
    """The cell as the learner gets it: each solution region is a statement that raises the named to-do."""
    lines = cell.source.splitlines()
    for begin, end in reversed(solution_regions(cell, name)):
        match = BEGIN.fullmatch(lines[begin])
        assert match is not None
        todo = _literal(f"{cell.id}: {match['todo']}")
        stub = f"{match['indent']}raise helpers.ExerciseTodo({todo})"
        if len(stub) > LONGEST_LINE:
            where = f"{name}:{cell.line + 1 + begin}"
            raise MasterError(f"{where}: the to-do makes a line of {len(stub)} characters, {LONGEST_LINE} are allowed")
        lines[begin : end + 1] = [stub]
    return replace(cell, source="\n".join(lines))


def without_markers(cell: Cell) -> Cell:
    """The cell with its solution, without the lines that mark it."""
    kept = [line for line in cell.source.splitlines() if not (BEGIN.fullmatch(line) or END.fullmatch(line))]
    return replace(cell, source="\n".join(kept))


def with_run_dir(cells: Sequence[Cell], run_dir: str, name: str) -> list[Cell]:
    """Write the view's run folder into the parameters cell.

    Raises:
        MasterError: there is not exactly one parameters cell with the five parameters, one a line.
    """
    tagged = [cell for cell in cells if "parameters" in cell.tags]
    if len(tagged) != 1:
        raise MasterError(f"{name}: {len(tagged)} cells are tagged parameters, there must be one")
    names = [
        target.id
        for statement in ast.parse(tagged[0].source).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]
    if sorted(names) != sorted(PARAMETERS) or 'run_dir = ""' not in tagged[0].source:
        raise MasterError(f'{name}:{tagged[0].line}: the parameters are {", ".join(PARAMETERS)}, with run_dir = ""')
    filled = replace(tagged[0], source=tagged[0].source.replace('run_dir = ""', f'run_dir = "{run_dir}"'))
    return [filled if cell is tagged[0] else cell for cell in cells]


def milestone_calls(cell: Cell) -> list[str]:
    """The ids in the cell's `helpers.milestone("...")` calls, in order."""
    if cell.markdown or "helpers.milestone" not in cell.source:
        return []
    return [
        call.args[0].value
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "helpers.milestone"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    ]


def _literal(text: str) -> str:
    """A string literal with the quotes that ruff's formatter would choose."""
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _header(line: str, name: str, number: int) -> Cell:
    match = HEADER.fullmatch(line.rstrip())
    if match is None:
        raise MasterError(
            f"{name}:{number}: the cell's header is {line.strip()!r}",
            "every cell has an id of small letters, digits and hyphens",
            'write # %% id="name" or # %% [markdown] id="name", then tags=["..."] if any',
        )
    tags = tuple(json.loads(match["tags"] or "[]"))
    unknown = [tag for tag in tags if tag not in TAGS]
    if unknown:
        raise MasterError(f"{name}:{number}: unknown tag {unknown[0]!r}", f"the tags are {', '.join(sorted(TAGS))}")
    return Cell(match["id"], "", match["markdown"] is not None, tags, number)


def _finished(cell: Cell, lines: list[str], name: str) -> Cell:
    while lines and not lines[0].strip():
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if cell.markdown:
        for line in lines:
            if line != "#" and not line.startswith("# "):
                raise MasterError(f"{name}:{cell.line}: Markdown line {line!r} must begin with '# '")
        lines = [line[2:] for line in lines]
    if not lines:
        raise MasterError(f"{name}:{cell.line}: the cell {cell.id!r} is empty")
    return replace(cell, source="\n".join(lines))
