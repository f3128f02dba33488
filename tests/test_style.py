"""Lint, format, types, and the shape of the library: import arrows, sizes, import time's causes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.config import ROOT

ARROWS = {
    "errors": set(),
    "config": {"errors"},
    "hardware": {"errors", "config"},
    "models": {"errors", "config", "hardware"},
    "client": {"errors", "config", "hardware", "models"},
    "engines": {"errors", "config", "hardware", "models", "client"},
    "bench": {"errors", "config", "hardware", "models", "client", "engines"},
    "course": {"errors", "config", "hardware", "models", "client", "engines", "bench"},
    "nano": {"errors", "models"},
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


def test_helpers_stay_readable() -> None:
    lines = {file: len(file.read_text().splitlines()) for file in (ROOT / "helpers").rglob("*.py")}
    assert sum(lines.values()) <= 12_000
    assert {file: count for file, count in lines.items() if count > 300} == {}
