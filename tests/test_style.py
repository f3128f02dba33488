"""Lint, format, types, and the shape of the library: import arrows, sizes, import time's causes."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from helpers.config import ROOT

ARROWS = {
    "errors": set(),
    "config": {"errors"},
    "hardware": {"errors", "config"},
    "models": {"errors", "config", "hardware"},
    "nano": {"errors", "config", "hardware", "models"},
    "client": {"errors", "config", "hardware", "models"},
    "engines": {"errors", "config", "hardware", "models", "client"},
    "bench": {"errors", "config", "hardware", "models", "client", "engines"},
    "aot": {"errors", "config", "hardware", "models", "nano"},
    "simulate": {"errors", "config", "hardware", "models", "nano", "client", "engines", "bench"},
    "course": {"errors", "config", "hardware", "models", "client", "engines", "bench", "simulate"},
    "api": {"errors", "config", "hardware", "models", "client", "engines", "bench"},
    "openwebui": {"errors", "config"},
    "ui": {"errors", "config", "hardware", "models", "client", "nano", "engines", "bench", "api", "simulate"},
    "grade": {"errors", "config", "hardware", "models", "client", "engines", "bench", "course", "capstone"},
    "capstone": {"errors", "config", "hardware", "models", "client", "engines", "bench", "simulate", "course", "api"},
}
"""Package of helpers -> the packages of helpers it may import; cli and commands may import all."""


def imported_packages(file: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {name.split(".")[1] for name in names if name.startswith("helpers.")}


@pytest.mark.parametrize("package", ARROWS)
def test_imports_point_one_way(package: str) -> None:
    path = ROOT / "helpers" / package
    files = list(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        top = {name for name in imported_packages(file) if name in ARROWS or name in ("cli", "commands")}
        assert top <= ARROWS[package] | {package}, file


def run_tool(*argv: str) -> None:
    done = subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", ".", "course")


def test_ruff_would_format_nothing() -> None:
    run_tool("ruff", "format", "--check", ".", "course")


def test_mypy_is_strict_and_content() -> None:
    run_tool("mypy")


def test_public_names_exist_and_are_sorted_by_name() -> None:
    import helpers

    assert list(helpers.PUBLIC) == sorted(helpers.PUBLIC, key=str.lower)
    for name in helpers.PUBLIC:
        assert getattr(helpers, name).__doc__ or not callable(getattr(helpers, name)), name


def test_import_helpers_and_the_command_line_load_nothing_heavy() -> None:
    code = (
        "import sys, helpers, helpers.cli; "
        "heavy = {'numpy', 'aiohttp', 'plotly', 'rich', 'xllamacpp', 'tokenizers', 'psutil', 'asyncio'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NANO_CORE = ("request", "block_manager", "step", "scheduler", "kv_cache", "batch", "model", "sampling", "engine")
"""What a learner reads in an evening; the server, speculation, ranks, static batching and the trace are beside it."""

BUDGET_LINES = {"nano core": 1_000, "nano": 2_500, "helpers": 33_000}
"""Lines of code, without blank lines, comments and docstrings; the course model's corpus is data and not counted."""


def count_code_lines(file: Path) -> int:
    source = file.read_text()
    documented: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documented.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    coded: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            coded.update(range(token.start[0], token.end[0] + 1))
    return len(coded - documented)


def test_helpers_stay_readable() -> None:
    files = [file for file in (ROOT / "helpers").rglob("*.py") if "training" not in file.parts]
    assert sum(map(count_code_lines, files)) <= BUDGET_LINES["helpers"]
    nano = {file.stem: count_code_lines(file) for file in files if "nano" in file.parts}
    assert sum(nano.values()) <= BUDGET_LINES["nano"]
    assert sum(nano[name] for name in NANO_CORE) <= BUDGET_LINES["nano core"]
    assert {file: count for file in files if (count := len(file.read_text().splitlines())) > 300} == {}
