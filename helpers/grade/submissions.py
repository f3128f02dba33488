"""Finding what was handed in: who, which task, which files.

    SUBMISSIONS/alice/01_engine_benchmark.ipynb           a folder per learner, as deep as you like
    SUBMISSIONS/alice__01_engine_benchmark.ipynb          flat files named by learner and task
    SUBMISSIONS/alice.zip, SUBMISSIONS/alice/lab.zip      zip files of either
    SUBMISSIONS/submitted/alice/01_engine_benchmark/...   an nbgrader exchange

A run folder (one that has evidence/*.json, as `work/runs/NN_stem` does) is a bundle: its milestones are judged by
consistency and not run again, except for a sample. A notebook of the same task beside it gives the exercises. The task
is known by its stem in the path, else by the ids in the file. Links are never followed. What is no submission is
named, not dropped in silence.
"""

import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.course.catalogue import Entry
from helpers.course.execution import TaskOutcome
from helpers.errors import UsageError
from helpers.grade.archives import ArchiveRefused, unpack
from helpers.grade.results import UnitKind

SKIPPED = {".ipynb_checkpoints", "__MACOSX", "__pycache__", ".git"}
DEEPEST = 12
LOOK_BYTES = 50_000_000
"""A file larger than this is not opened to find out what it is."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One unit of work: a learner's task.

    Attributes:
        notebook: the file to grade; None if there is a bundle only.
        bundle: the run folder; None if there is a notebook only.
        source: what was found, relative to the submissions.
        problem: outcome and reason why nothing of it may be opened; None if it may.
    """

    learner: str
    task: str
    notebook: Path | None
    bundle: Path | None
    source: str
    problem: tuple[TaskOutcome, str] | None = None

    @property
    def kind(self) -> UnitKind:
        """What its milestones are judged from."""
        return "bundle" if self.bundle is not None else "notebook"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; `ignored` has a path and a reason for everything that is not graded."""

    submissions: tuple[Submission, ...]
    ignored: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    learner: str
    task: str
    path: Path
    shown: str
    problem: tuple[TaskOutcome, str] | None = None

    @property
    def preference(self) -> tuple[int, str]:
        """Of several files for one task the one nearest to the top counts, then the first by name."""
        return self.shown.count("/"), self.shown


def discover(folder: Path, entries: Sequence[Entry], unpacked: Path) -> Found:
    """Look through the submissions.

    Args:
        folder: what was handed in.
        entries: the tasks that can be graded.
        unpacked: where zip files are unpacked.

    Raises:
        UsageError: there is no such folder, or nothing in it can be graded.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "submissions lie in a folder: one folder or file per learner")
    walk = _Walk(entries, unpacked)
    exchange = folder / "submitted"
    if exchange.is_dir() and not exchange.is_symlink():
        _look_at_top(walk, exchange, folder.resolve().name, "submitted/")
    else:
        _look_at_top(walk, folder, folder.resolve().name)
    if not walk.notebooks and not walk.bundles:
        raise UsageError(
            f"nothing in {folder} can be graded",
            f"{len(walk.ignored)} files were looked at: a notebook is known by its task's stem or its cells' ids",
            f"name it LEARNER__{entries[0].stem}.ipynb" if entries else "",
        )
    notebooks, bundles = _best(walk.notebooks, walk.ignored), _best(walk.bundles, walk.ignored)
    submissions = []
    for learner, task in sorted({*notebooks, *bundles}):
        notebook, bundle = notebooks.get((learner, task)), bundles.get((learner, task))
        problem = next((one.problem for one in (notebook, bundle) if one is not None and one.problem), None)
        shown = [one.shown for one in (notebook, bundle) if one is not None]
        submissions.append(
            Submission(
                learner,
                task,
                notebook.path if notebook else None,
                bundle.path if bundle else None,
                " and ".join(shown),
                problem,
            )
        )
    return Found(tuple(submissions), tuple(sorted(walk.ignored)))


def normal(name: str) -> str:
    """A name in one Unicode form, so that the same name is the same learner."""
    return unicodedata.normalize("NFC", readable(name)).strip() or "_"


def readable(name: str) -> str:
    """A file's name as text, whatever its bytes: unpackers leave names that are not UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


class _Walk:
    """What has been found so far."""

    def __init__(self, entries: Sequence[Entry], unpacked: Path) -> None:
        self.notebooks: list[_Candidate] = []
        self.bundles: list[_Candidate] = []
        self.ignored: list[tuple[str, str]] = []
        self._entries = entries
        self._unpacked = unpacked
        self._task_of = {part.id: entry.stem for entry in entries for part in entry.task.exercises}
        self._task_of |= {part.cell_id: entry.stem for entry in entries for part in entry.task.milestones}
        self._task_of_evidence = {part.id: entry.stem for entry in entries for part in entry.task.milestones}

    def stem_in(self, text: str) -> str:
        """The task whose stem stands in a path; the last one counts, for it is nearest to the file."""
        found = [(text.rfind(entry.stem), entry.stem) for entry in self._entries if entry.stem in text]
        return max(found)[1] if found else ""

    def folder(self, path: Path, learner: str, shown: str, depth: int = 0) -> None:
        """Everything below a learner's folder."""
        if depth > DEEPEST:
            self.ignored.append((shown, f"more than {DEEPEST} folders deep"))
            return
        if not os.access(path, os.R_OK | os.X_OK):
            self.ignored.append((shown, "the folder cannot be read"))
            return
        evidence = path / "evidence"
        if evidence.is_dir() and not evidence.is_symlink() and list(evidence.glob("*.json")):
            self._bundle(path, learner, shown)
            return
        for child in _children(path):
            inside = f"{shown}/{readable(child.name)}"
            if child.is_symlink() or not child.is_dir():
                self.file(child, learner, inside)
            elif child.name not in SKIPPED:
                self.folder(child, learner, inside, depth + 1)

    def file(self, path: Path, learner: str, shown: str) -> None:
        """A file of a learner, or a link."""
        suffix = path.suffix.lower()
        if suffix not in (".ipynb", ".zip"):
            self.ignored.append((shown, "neither a notebook nor a zip file nor a run folder"))
            return
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
            self._refuse(learner, shown, (shown,), ("tampered", f"{shown} is {kind}; links are not followed"))
        elif suffix == ".zip":
            self._zip(path, learner, shown)
        else:
            task = self.stem_in(shown) or self._task_by_ids(path)
            if task:
                self.notebooks.append(_Candidate(learner, task, path, shown))
            else:
                self.ignored.append((shown, "no task has this name or these cells"))

    def _zip(self, path: Path, learner: str, shown: str) -> None:
        try:
            folder = unpack(path, self._unpacked)
        except ArchiveRefused as refused:
            outcome: TaskOutcome = "error" if refused.broken else "tampered"
            self._refuse(learner, shown, (shown, *refused.names), (outcome, str(refused)))
        else:
            self.folder(folder, learner, shown, depth=1)

    def _refuse(self, learner: str, shown: str, names: Sequence[str], problem: tuple[TaskOutcome, str]) -> None:
        tasks = {self.stem_in(name) for name in names} - {""}
        for task in sorted(tasks):
            self.notebooks.append(_Candidate(learner, task, Path(), shown, problem))
        if not tasks:
            self.ignored.append((shown, problem[1]))

    def _bundle(self, path: Path, learner: str, shown: str) -> None:
        ids = [file.stem for file in path.glob("evidence/*.json")]
        task = next((self._task_of_evidence[one] for one in ids if one in self._task_of_evidence), "")
        if task:
            self.bundles.append(_Candidate(learner, task, path, shown))
        else:
            self.ignored.append((shown, "a run folder with the evidence of no task"))

    def _task_by_ids(self, path: Path) -> str:
        """The task most of whose cells stand in a notebook."""
        counted: dict[str, int] = {}
        for cell_id in _cell_ids(path):
            task = self._task_of.get(cell_id, "")
            counted[task] = counted.get(task, 0) + bool(task)
        return max(counted, key=lambda task: counted[task], default="")


def _look_at_top(walk: _Walk, folder: Path, own_name: str, within: str = "") -> None:
    for child in _children(folder):
        shown = within + readable(child.name)
        if child.name in SKIPPED:
            continue
        if child.is_symlink() or not child.is_dir():
            stem = walk.stem_in(child.name)
            learner = (child.stem.replace(stem, "") if stem else child.stem).strip(" _-.()")
            walk.file(child, normal(learner) if learner else own_name, shown)
        elif not walk.stem_in(within) and walk.stem_in(child.name) == child.name:
            _look_at_top(walk, child, own_name, f"{shown}/")  # a folder per task, learners in it
        else:
            walk.folder(child, normal(child.name), shown)


def _best(candidates: Sequence[_Candidate], ignored: list[tuple[str, str]]) -> dict[tuple[str, str], _Candidate]:
    best: dict[tuple[str, str], _Candidate] = {}
    for one in sorted(candidates, key=lambda candidate: candidate.preference):
        first = best.setdefault((one.learner, one.task), one)
        if first is not one:
            ignored.append((one.shown, f"{first.shown} counts for {one.task}"))
    return best


def _children(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.iterdir() if not path.name.startswith(".")))


def _cell_ids(path: Path) -> list[str]:
    if path.stat().st_size > LOOK_BYTES:
        return []
    try:
        notebook: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return []
    cells = notebook.get("cells") if isinstance(notebook, Mapping) else None
    cells = cells if isinstance(cells, list) else []
    return [cell["id"] for cell in cells if isinstance(cell, Mapping) and isinstance(cell.get("id"), str)]
