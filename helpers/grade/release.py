"""The learners' hand-out: the course without what would spoil it.

Left out are solutions, masters, planted wrong answers, private inputs, the sample class, pages for teachers, and what
learners do not need (tests, benchmarks). What goes is named, so that a new file stays here until somebody names it.
After copying, the hand-out is searched for every solution region and every planted answer: a find is an error.
"""

import ast
import functools
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.masters import parse, solution_regions
from helpers.errors import CheckFailed, MissingError, UsageError

FILES = (
    *("course", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"),
    *("pyproject.toml", "environment.yml", "requirements.lock"),
)
"""Of the clone's top; one that is not there is passed over."""

FOLDERS = ("helpers", "labs", "notebooks", "docs", "deploy", "recorded")
"""Copied whole, but for what is below."""

OF_A_TASK = ("task.py", "mistakes.json")
"""Of content/NN_stem: visible cases, judges, and what planted mistakes return (never how)."""

LEFT_OUT = ("__pycache__", ".ipynb_checkpoints", ".env.local")
TEACHERS = Path("docs/teaching")

LEAST_LINES = 3
"""A solution or planted answer of fewer lines may stand in the library by nature; it is searched for in labs, content,
notebooks and documentation only."""

TEXTS = (".py", ".ipynb", ".json", ".md", ".toml", ".txt", ".html", "")


def write_release(out: Path, root: Path = ROOT) -> list[Path]:
    """Make the hand-out and return its files.

    Args:
        out: a new or empty folder.
        root: the clone.

    Raises:
        UsageError: `out` holds something, or lies in a folder that is copied.
        MissingError: this is a hand-out itself, or labs were not built.
        CheckFailed: something that must stay here is in it; the folder is removed again.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} holds something already", "", "name a new folder with --out")
    if any(out.resolve().is_relative_to((root / name).resolve()) for name in (*FOLDERS, "content")):
        raise UsageError(f"{out} lies in a folder that is handed out", "", "name a folder elsewhere with --out")
    entries = find_tasks(root)
    missing = [entry.notebook(view) for entry in entries for view in ("labs", "solutions")]
    missing = [path for path in missing if not path.exists()]
    if missing:
        raise MissingError(
            f"there is no {missing[0]}", "this is a learners' hand-out, or it was not built", "./course build"
        )
    for name in FILES:
        if (root / name).exists():
            out.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, out / name)
    for name in FOLDERS:
        if (root / name).is_dir():
            shutil.copytree(root / name, out / name, ignore=functools.partial(_left_out, root))
    for entry in entries:
        folder = out / "content" / entry.stem
        folder.mkdir(parents=True)
        for name in OF_A_TASK:
            if (entry.content / name).exists():
                shutil.copy2(entry.content / name, folder / name)
    found = find_leaks(out, entries)
    if found:
        shutil.rmtree(out)
        raise CheckFailed("\n".join(found), "a file that is handed out holds what must stay with the teachers")
    return sorted(path for path in out.rglob("*") if path.is_file())


def find_leaks(folder: Path, entries: Sequence[Entry]) -> list[str]:
    """What a hand-out holds that it must not: one line per find.

    Args:
        folder: the hand-out.
        entries: the tasks, of a clone with masters and planted answers.
    """
    secrets = [secret for entry in entries for secret in _secrets(entry)]
    names = {"private.py", "lab.py", "wrong", "solutions", "sample_class"}
    found = [
        f"{path.relative_to(folder)} is for teachers"
        for path in sorted(folder.rglob("*"))
        if path.name in names and path.relative_to(folder).parts[0] != "helpers"
    ]
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in TEXTS:
            continue
        strict = path.relative_to(folder).parts[0] != "helpers"
        lines = _lines(_read(path))
        text, present = "\n".join(lines), frozenset(lines)
        found += [
            f"{path.relative_to(folder)} holds {name}"
            for name, secret in secrets
            if (strict or len(secret) >= LEAST_LINES)
            and present.issuperset(secret)
            and f"\n{chr(10).join(secret)}\n" in f"\n{text}\n"
        ]
    return found


def _left_out(root: Path, folder: str, names: list[str]) -> set[str]:
    here = Path(folder)
    return {
        name
        for name in names
        if name in LEFT_OUT or name.endswith(".pyc") or (here / name).relative_to(root) == TEACHERS
    }


def _secrets(entry: Entry) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Solution regions and planted answers, each as its lines without indentation, with what to call it."""
    for cell in parse((entry.content / "lab.py").read_text(encoding="utf-8"), entry.stem):
        lines = cell.source.splitlines()
        for begin, end in solution_regions(cell, entry.stem):
            yield f"the solution of {cell.id} ({entry.stem})", tuple(_lines("\n".join(lines[begin + 1 : end])))
    for path in sorted((entry.content / "wrong").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        function = entry.exercise(path.stem.partition("--")[0]).function
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                body = [one for one in node.body if not isinstance(one, ast.Expr)]
                code = "\n".join(source.splitlines()[body[0].lineno - 1 : node.end_lineno]) if body else ""
                yield f"the planted answer {path.stem}", tuple(_lines(code))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(path: Path) -> str:
    """A file as lines of text; a notebook's cells as they are read, not as they are stored."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
