"""Signs in a notebook that its milestones were made up: what it replaces of the library, and cells that never ran.

Exercises need none of this, they are judged outside the kernel. Evidence is written in it, so a notebook that replaces
parts of `helpers` gets no milestone, whatever its evidence says. What only hides is named for the instructor: a
determined author can hide anything, which is why figures of engines are held against the grader's own
(`helpers.grade.witness`).
"""

import ast
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.grade.sanitise import Cell

PROTECTED = {"helpers", "builtins", "__builtins__"}
INTERNAL = ("helpers.course", "helpers.grade")
SETTERS = {"setattr", "delattr"}
HIDING = {"exec", "eval", "compile", "__import__"}


def replacements(cells: Sequence[Cell]) -> list[str]:
    """A line for each cell that replaces something of the library, or reaches into what judges."""
    lines = []
    for cell in cells:
        if cell.kind == "code":
            lines += [f"cell {cell.id or '(added)'} {what}" for what in dict.fromkeys(_replaced(_tree(cell.source)))]
    return lines


def hidden_code(cells: Sequence[Cell]) -> list[str]:
    """A line for each cell that runs code made from strings."""
    lines = []
    for cell in cells:
        if cell.kind != "code":
            continue
        calls = [node.func for node in ast.walk(_tree(cell.source)) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)} & HIDING
        lines += [f"cell {cell.id or '(added)'} uses {name}()" for name in sorted(names)]
    return lines


def cells_that_ran(executed: Path) -> set[str]:
    """Ids of the cells that ran to their end, by papermill's own copy; what the kernel printed plays no part."""
    try:
        notebook = json.loads(executed.read_bytes())
    except (OSError, ValueError):
        return set()
    return {
        cell["id"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        and cell["execution_count"] is not None
        and not any(output["output_type"] == "error" for output in cell["outputs"])
    }


def _replaced(tree: ast.AST) -> Iterator[str]:
    guarded = PROTECTED | {name for node in ast.walk(tree) for name in _library_names(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            inner = next((name for name in names if name.startswith(INTERNAL)), "")
            if inner:
                yield f"imports {inner}"
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute | ast.Subscript) and _root(target) in guarded:
                yield f"replaces {ast.unparse(target)}"
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in SETTERS and node.args and _root(node.args[0]) in guarded:
                yield f"replaces a part of {ast.unparse(node.args[0])}"
            patched = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if "patch" in ast.unparse(node.func) and any(value.startswith("helpers") for value in patched):
                yield f"replaces {patched[0]}"


def _library_names(node: ast.AST) -> Iterator[str]:
    """Names that an import binds to a part of the library."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == "helpers" and alias.asname:
                yield alias.asname
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "helpers":
        yield from (alias.asname or alias.name for alias in node.names)


def _root(node: ast.AST) -> str:
    """The name at the beginning of `a.b[c].d`; sys.modules[...] is that of what it names."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
            named = node.slice.value if isinstance(node.slice, ast.Constant) else "helpers"
            return str(named).partition(".")[0]
        if isinstance(node, ast.Call):
            if not (isinstance(node.func, ast.Name) and node.func.id == "vars" and node.args):
                return ""
            node = node.args[0]
        else:
            node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _tree(source: str) -> ast.AST:
    """What a cell does; magics become calls, and one over a whole cell (`%%time`) hides nothing below it."""
    from IPython.core.inputtransformer2 import TransformerManager

    code = source.lstrip().partition("\n")[2] if source.lstrip().startswith("%%") else source
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    try:
        return ast.parse(manager.transform_cell(code))
    except (SyntaxError, ValueError, RuntimeError, MemoryError):
        return ast.Module([], [])
