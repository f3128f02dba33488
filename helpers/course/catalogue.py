"""The tasks that exist: found in `content/`, one folder each, and where their files lie."""

import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from helpers.config import ROOT
from helpers.course.task import Exercise, Milestone, Task
from helpers.errors import UsageError

STEM = re.compile(r"(?P<number>\d{2})_(?P<slug>[a-z0-9_]+)")
Part = TypeVar("Part", Exercise, Milestone)
MODULE = 12
"""The course's number in its curriculum: task 1 is also called 12.1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A task with its place: `root/content/stem` and the notebooks of the same stem."""

    root: Path
    stem: str
    task: Task

    @property
    def name(self) -> int | str:
        """1 to 6, or `capstone`: how the command contract names the task."""
        return "capstone" if self.stem.endswith("_capstone") else int(self.stem[:2])

    @property
    def content(self) -> Path:
        """The folder of the masters."""
        return self.root / "content" / self.stem

    def notebook(self, view: str) -> Path:
        """The built notebook; `view` is notebooks, labs or solutions, or work for the learner's copy."""
        return self.root / view / f"{self.stem}.ipynb"

    def run_dir(self, view: str) -> str:
        """Where a view keeps its results when it is run by hand, relative to the root."""
        return f"work/runs/{self.stem}" if view in ("labs", "work") else f"runs/{view}/{self.stem}"

    def exercise(self, exercise_id: str) -> Exercise:
        """The exercise of that id; KeyError if the task has none."""
        return {exercise.id: exercise for exercise in self.task.exercises}[exercise_id]

    def milestone(self, milestone_id: str) -> Milestone:
        """The milestone of that id; KeyError if the task has none."""
        return {milestone.id: milestone for milestone in self.task.milestones}[milestone_id]


def load_task(folder: Path) -> Task:
    """Read `TASK` from a folder's task.py.

    Raises:
        TypeError: the file defines no TASK.
    """
    path = folder / "task.py"
    spec = importlib.util.spec_from_file_location(f"course_task_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise TypeError(f"{path} must define TASK, a helpers.course.task.Task")
    return task


@functools.cache
def find_tasks(root: Path = ROOT) -> tuple[Entry, ...]:
    """All tasks, in order; empty if there is no content."""
    folders = sorted(path.parent for path in (root / "content").glob("*/task.py") if STEM.fullmatch(path.parent.name))
    return tuple(Entry(root, folder.name, load_task(folder)) for folder in folders)


def find_task(name: str, root: Path = ROOT) -> Entry:
    """The task called `1`, `12.1`, `01_engine_benchmark` or `capstone`.

    Raises:
        UsageError: there is no such task.
    """
    for entry in find_tasks(root):
        if name in (entry.stem, str(entry.name), f"{MODULE}.{entry.name}"):
            return entry
    known = ", ".join(f"{entry.name} ({entry.stem})" for entry in find_tasks(root)) or "none yet"
    raise UsageError(f"there is no task {name!r}", f"the tasks are {known}", "./course status")


def find_exercise(exercise_id: str, root: Path = ROOT) -> tuple[Entry, Exercise]:
    """An exercise and its task.

    Raises:
        UsageError: there is no such exercise.
    """
    return _find(
        "exercise", exercise_id, [(entry, part) for entry in find_tasks(root) for part in entry.task.exercises]
    )


def find_milestone(milestone_id: str, root: Path = ROOT) -> tuple[Entry, Milestone]:
    """A milestone and its task.

    Raises:
        UsageError: there is no such milestone.
    """
    found = [(entry, part) for entry in find_tasks(root) for part in entry.task.milestones]
    return _find("milestone", milestone_id, found)


def _find(kind: str, wanted: str, found: list[tuple[Entry, Part]]) -> tuple[Entry, Part]:
    for entry, part in found:
        if part.id == wanted:
            return entry, part
    known = ", ".join(part.id for _, part in found)
    raise UsageError(f"there is no {kind} {wanted!r}", f"the {kind}s are {known}")
