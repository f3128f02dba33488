"""What was demonstrated by the course's notebooks, what is the learner's own, and what comes next.

Demonstrated: the newest run of each task below runs/. Own: the exercises that held at the last check of the lab as it
is now, and the milestones judged again from what the learner's lab left.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.catalogue import Entry, find_tasks
from helpers.course.check import check_folder, lab_digest, progress_path
from helpers.course.files import read_json
from helpers.course.milestones import judge_folder
from helpers.course.task import State

BEST_FIRST: tuple[State, ...] = ("reached", "not-run", "not-reached")


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where a learner stands with one task.

    Attributes:
        demonstrated: states of the milestones in the newest run; empty if it was never run.
        opened: the learner has a copy of the lab.
        checked: the lab was checked at least once.
        held: how many exercises held at the last check.
        open: ids of those that did not, in the lab's order.
        changed: the lab changed since that check.
        own: states of the learner's own milestones, in the task's order.
    """

    entry: Entry
    demonstrated: tuple[str, ...]
    opened: bool
    checked: bool
    held: int
    open: tuple[str, ...]
    changed: bool
    own: tuple[State, ...]

    @property
    def done(self) -> bool:
        """True if every exercise holds and every milestone that can run here is reached."""
        exercises = len(self.entry.task.exercises)
        return self.opened and not self.changed and self.held == exercises and "not-reached" not in self.own

    @property
    def next_command(self) -> str:
        """The command that leads on."""
        return f"./course {'check' if self.opened else 'lab'} {self.entry.name}"


def read_status(root: Path = ROOT) -> list[TaskStatus]:
    """The status of every task, in order."""
    demonstrated = _demonstrated(root)
    return [_status(entry, demonstrated.get(entry.name, ())) for entry in find_tasks(root)]


def next_step(statuses: list[TaskStatus]) -> str:
    """The command that leads on: first a look at a task that runs by itself, then the labs in their order."""
    if not any(status.demonstrated or status.opened for status in statuses):
        return "./course run 1"
    unfinished = [status for status in statuses if not status.done]
    return unfinished[0].next_command if unfinished else "./course run --full"


def _status(entry: Entry, demonstrated: tuple[str, ...]) -> TaskStatus:
    opened = entry.notebook("work").exists()
    progress = _read(progress_path(entry))
    states = progress.get("exercises", {})
    held = [exercise.id for exercise in entry.task.exercises if states.get(exercise.id) == "holds"]
    still_open = tuple(exercise.id for exercise in entry.task.exercises if exercise.id not in held)
    folders = (entry.root / entry.run_dir("work"), check_folder(entry))
    own = tuple(
        min((judge_folder(entry, milestone, folder).state for folder in folders), key=BEST_FIRST.index)
        for milestone in entry.task.milestones
    )
    changed = opened and progress.get("lab_sha256") != lab_digest(entry)
    return TaskStatus(entry, demonstrated, opened, bool(progress), len(held), still_open, changed, own)


def _demonstrated(root: Path) -> dict[int | str, tuple[str, ...]]:
    """Task name -> milestone states, later runs replacing earlier ones."""
    states: dict[int | str, tuple[str, ...]] = {}
    for path in sorted((root / "runs").glob("*/summary.json"), key=lambda path: path.stat().st_mtime):
        for task in _read(path).get("tasks", []):
            states[task["task"]] = tuple(milestone["state"] for milestone in task["milestones"])
    return states


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty if the file is missing or was damaged: status only tells what it knows."""
    try:
        content = read_json(path)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
