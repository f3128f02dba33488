"""A learner's own feedback: each exercise of their lab judged in a child, then the lab run from top to bottom.

The exercises need no engine and no kernel, so they are judged even while the rest of the lab is unwritten. The whole
lab is run only when every exercise holds. Results are kept for `./course status`:

    work/NN_stem.ipynb              the learner's lab; only they write it
    work/runs/NN_stem/              what they ran by hand
    work/runs/NN_stem.check/        what the last check ran
    work/progress/NN_stem.json      {lab_sha256, exercises: {id: state}, outcome}
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.course.catalogue import Entry
from helpers.course.definitions import read_definitions
from helpers.course.execution import CellStart, Ending, Limits, execute
from helpers.course.exercises import ExerciseReport, report_on
from helpers.course.files import write_json
from helpers.course.judge import Job, ask
from helpers.course.mistakes import read_mistakes
from helpers.course.run import MilestoneResult, task_result
from helpers.errors import MissingError

EXERCISE_TIME_S = 20.0
"""For all cases of one exercise, the start of its process included."""
LAB_LIMITS = Limits(notebook_s=600, cell_s=300)


@dataclass(frozen=True, slots=True)
class LabReport:
    """What holds in a lab. `ending` is None, and there are no milestones, if it was not run as a whole."""

    entry: Entry
    exercises: tuple[ExerciseReport, ...]
    ending: Ending | None
    milestones: tuple[MilestoneResult, ...]

    @property
    def holds(self) -> bool:
        """True if everything that can hold here does."""
        return (
            all(exercise.state == "holds" for exercise in self.exercises)
            and self.ending is not None
            and self.ending.outcome == "ok"
            and all(milestone.state != "not-reached" for milestone in self.milestones)
        )


def judge_exercises(entry: Entry, notebook: Path) -> list[ExerciseReport]:
    """Judge every exercise of a task on its visible cases, from a notebook's definitions.

    Raises:
        CheckFailed: the file is not a notebook.
    """
    sources = read_definitions(notebook)
    mistakes = read_mistakes(entry)
    exercises = entry.task.exercises
    jobs = [Job(sources, exercise.function, exercise.cases) for exercise in exercises]
    return [
        report_on(exercise, exercise.cases, outcomes, mistakes.get(exercise.id, ()))
        for exercise, outcomes in zip(exercises, ask(jobs, EXERCISE_TIME_S), strict=True)
    ]


def check_lab(
    entry: Entry,
    on_exercises: Callable[[list[ExerciseReport]], None] = lambda reports: None,
    on_cell: Callable[[CellStart], None] = lambda start: None,
) -> LabReport:
    """Check the learner's copy of a lab.

    Args:
        entry: the task.
        on_exercises: called with the judged exercises before the lab is run.
        on_cell: called when a cell of the lab begins.

    Raises:
        MissingError: there is no copy yet.
        CheckFailed: the copy is not a notebook.
    """
    lab = entry.notebook("work")
    if not lab.exists():
        raise MissingError(f"there is no {lab}", "you have not opened this lab yet", f"./course lab {entry.name}")
    digest = lab_digest(entry)  # before it is judged: what is written meanwhile was not
    exercises = judge_exercises(entry, lab)
    on_exercises(exercises)
    ending: Ending | None = None
    milestones: tuple[MilestoneResult, ...] = ()
    if all(exercise.state == "holds" for exercise in exercises):
        folder = check_folder(entry)
        if folder.exists():
            shutil.rmtree(folder)
        ending = execute(lab, folder / lab.name, {"quick": True, "run_dir": str(folder)}, LAB_LIMITS, on_cell)
        milestones = task_result(entry, folder, ending).milestones
    write_json(
        progress_path(entry),
        {
            "lab_sha256": digest,
            "exercises": {exercise.exercise: exercise.state for exercise in exercises},
            "outcome": ending.outcome if ending else "",
        },
    )
    return LabReport(entry, tuple(exercises), ending, milestones)


def lab_digest(entry: Entry) -> str:
    """SHA-256 of the learner's copy, which says whether it changed since a check."""
    return hashlib.sha256(entry.notebook("work").read_bytes()).hexdigest()


def check_folder(entry: Entry) -> Path:
    """Where a check runs the lab."""
    return entry.root / f"{entry.run_dir('work')}.check"


def progress_path(entry: Entry) -> Path:
    """Where a check leaves its results."""
    return entry.root / "work" / "progress" / f"{entry.stem}.json"
