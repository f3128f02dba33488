"""What a notebook defines, without running it: imports, functions, classes, and constants that need no call.

That is all an exercise may rest on (content/README.md), so its function can be judged although other cells wait for
an engine, or are still to do.
"""

import ast
from pathlib import Path

from helpers.course.judge import Source
from helpers.errors import CheckFailed

DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read_definitions(path: Path) -> list[Source]:
    """The definitions of each code cell, in order, under the cell's id.

    Raises:
        CheckFailed: the file is not a notebook.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, KeyError) as error:
        raise CheckFailed(
            f"{path} is not a notebook: {error}",
            "it was damaged or saved by something else",
            f"./course reset {path.stem}",
        ) from error
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    sources = [Source(cell.get("id", ""), definitions(cell.source)) for cell in cells]
    return [source for source in sources if source.code]


def definitions(code: str) -> str:
    """The defining statements of one cell; the cell as it is, if it is not Python, so that its error shows later."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        # Magics become calls, which are then left out like all calls.
        manager = TransformerManager()  # type: ignore[no-untyped-call]
        tree = ast.parse(manager.transform_cell(code))
    except SyntaxError:
        return code
    return "\n".join(ast.unparse(statement) for statement in tree.body if _defines(statement))


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        return not any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(statement.value))
    return isinstance(statement, DEFINING)
