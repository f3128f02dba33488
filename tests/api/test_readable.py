"""The request path stays small enough to be read in the course."""

import ast
import io
import tokenize

from helpers.config import ROOT

PATH = ("app", "flow", "auth", "limits", "queue", "routing", "upstream", "stream", "answer")
"""The files that every request flows through, apart from the one that knows its language (openai or ollama)."""

SPACE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def lines_of_code(name: str) -> int:
    """Lines without blank ones, comments, docstrings and imports."""
    source = (ROOT / "helpers" / "api" / f"{name}.py").read_text(encoding="utf-8")
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SPACE:
            used |= set(range(token.start[0], token.end[0] + 1))
    return len(used - left_out)


def test_the_request_path_has_at_most_600_lines() -> None:
    assert sum(map(lines_of_code, PATH)) <= 600
