"""Running tasks: notebooks unattended, evidence judged, one folder with everything.

    OUT/run.json                what was asked, so that only the same command resumes the folder
    OUT/running.json            while it runs: by which process
    OUT/summary.json            as the command contract has it: {tasks: [...], provenance}
    OUT/index.html              the report of the run, linking those of the tasks
    OUT/NN_stem/NN_stem.ipynb   the executed notebook; log.txt, task.json, evidence/, bundles and reports beside it

A task is finished when its task.json is written; a resumed run does it again only if its outcome was not ok or its
notebook has changed since. What a stopped attempt left is kept as NN_stem.attempt-N.
"""

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from helpers.bench.provenance import read_provenance
from helpers.config import ROOT
from helpers.course.catalogue import Entry
from helpers.course.execution import CellStart, Ending, Limits, execute
from helpers.course.files import read_json, write_json
from helpers.course.milestones import evidence_path, judge_folder, new_folder, read_backend
from helpers.course.task import State, Verdict
from helpers.errors import MissingError, UsageError

QUICK_LIMITS = Limits(notebook_s=900, cell_s=600)
FULL_LIMITS = Limits(notebook_s=7200, cell_s=3600)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the notebooks are run with; an empty engine or model leaves the notebook's own default."""

    engine: str = ""
    model: str = ""
    quick: bool = True


@dataclass(frozen=True, slots=True)
class MilestoneResult:
    """A milestone's verdict in a run."""

    id: str
    title: str
    state: State
    reason: str
    backend: str


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task in a run, with the folder that holds what it left."""

    entry: Entry
    folder: Path
    ending: Ending
    milestones: tuple[MilestoneResult, ...]

    def to_json(self) -> dict[str, Any]:
        """The task as the command contract has it."""
        kept = ("id", "state", "reason", "backend")
        return {
            "task": self.entry.name,
            "outcome": self.ending.outcome,
            "seconds": self.ending.seconds,
            "milestones": [{name: getattr(milestone, name) for name in kept} for milestone in self.milestones],
        }


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run."""

    folder: Path
    tasks: tuple[TaskResult, ...]
    provenance: dict[str, Any]

    @property
    def holds(self) -> bool:
        """True if every notebook ran and no milestone was missed; one that could not be run here is not missed."""
        return all(
            task.ending.outcome == "ok" and all(milestone.state != "not-reached" for milestone in task.milestones)
            for task in self.tasks
        )

    def to_json(self) -> dict[str, Any]:
        """The content of summary.json."""
        return {"tasks": [task.to_json() for task in self.tasks], "provenance": self.provenance}


def open_run(entries: Sequence[Entry], options: RunOptions, out: Path | None, root: Path = ROOT) -> tuple[Path, bool]:
    """The folder of a run, and whether it resumes one that was stopped.

    Args:
        entries: the tasks.
        options: how they are run.
        out: the folder asked for; None takes the newest stopped run of the same command, else a new folder.
        root: the clone.

    Raises:
        UsageError: `out` holds something else.
    """
    asked = {"tasks": [entry.stem for entry in entries], **asdict(options)}
    if out is None:
        stopped = [path.parent for path in sorted((root / "runs").glob("*/run.json")) if _resumable(path.parent, asked)]
        if stopped:
            return stopped[-1], True
        out = new_folder(root / "runs", datetime.now().strftime("%Y%m%d-%H%M%S"))
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not out.is_dir() or read_json(out / "run.json") != asked:
            raise UsageError(
                f"{out} holds something else already",
                "a run is resumed only by the command that began it, with the same tasks, engine, model and mode",
                "name another folder with --out",
            )
        if _is_running(out):
            raise UsageError(f"{out} is being run by another process", "", "name another folder with --out")
        return out, True
    write_json(out / "run.json", asked)
    return out, False


def run_tasks(
    entries: Sequence[Entry],
    options: RunOptions,
    folder: Path,
    on_cell: Callable[[Entry, CellStart], None] = lambda entry, start: None,
) -> RunResult:
    """Run the tasks one after the other, skipping those that are finished, and write summary.json and index.html.

    Args:
        entries: the tasks.
        options: how they are run.
        folder: as `open_run` returned it.
        on_cell: called when a cell of a task begins.

    Raises:
        MissingError: a notebook was not built, or the disk is full; tasks that had finished are kept.
    """
    from helpers.course.report import write_report

    provenance = {**read_provenance(seed=0), "options": asdict(options)}
    for entry in entries:
        if not entry.notebook("notebooks").exists():
            raise MissingError(f"{entry.notebook('notebooks')} is missing", "it was not built", "./course build")
    with _marked_running(folder):
        results = [
            _run_task(entry, options, folder / entry.stem, functools.partial(on_cell, entry)) for entry in entries
        ]
    result = RunResult(folder, tuple(results), provenance)
    write_report(result)
    write_json(folder / "summary.json", result.to_json())
    return result


def task_result(entry: Entry, folder: Path, ending: Ending) -> TaskResult:
    """Judge a task's milestones from its folder."""
    milestones = []
    for milestone in entry.task.milestones:
        verdict = judge_folder(entry, milestone, folder)
        if ending.outcome == "engine-unavailable" and not evidence_path(folder, milestone.id).exists():
            verdict = Verdict("not-run", ending.reason)
        backend = read_backend(folder, milestone.id)
        milestones.append(MilestoneResult(milestone.id, milestone.title, verdict.state, verdict.reason, backend))
    return TaskResult(entry, folder, ending, tuple(milestones))


def _run_task(entry: Entry, options: RunOptions, folder: Path, on_cell: Callable[[CellStart], None]) -> TaskResult:
    notebook = entry.notebook("notebooks")
    digest = hashlib.sha256(notebook.read_bytes()).hexdigest()
    finished = read_json(folder / "task.json")
    if finished is not None and finished["outcome"] == "ok" and finished["notebook_sha256"] == digest:
        return task_result(entry, folder, Ending("ok", "", finished["seconds"]))
    if folder.exists():
        folder.rename(new_folder(folder.parent, f"{folder.name}.attempt-1"))
    chosen = {name: value for name, value in (("engine", options.engine), ("model", options.model)) if value}
    ending = execute(
        notebook,
        folder / f"{entry.stem}.ipynb",
        {**chosen, "quick": options.quick, "run_dir": str(folder.resolve())},
        QUICK_LIMITS if options.quick else FULL_LIMITS,
        on_cell,
    )
    if ending.outcome == "timeout" and options.quick:
        allowed = f"{FULL_LIMITS.notebook_s / 3600:g} hours, {FULL_LIMITS.cell_s:g} s a cell"
        ending = replace(ending, reason=f"{ending.reason}; --full allows {allowed}")
    result = task_result(entry, folder, ending)
    write_json(folder / "task.json", {**asdict(ending), "notebook_sha256": digest})
    return result


def _resumable(folder: Path, asked: dict[str, Any]) -> bool:
    finished = (folder / "summary.json").exists()
    return not finished and read_json(folder / "run.json") == asked and not _is_running(folder)


def _is_running(folder: Path) -> bool:
    import psutil

    running = read_json(folder / "running.json")
    try:
        return running is not None and psutil.Process(running["pid"]).create_time() == running["started"]
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def _marked_running(folder: Path) -> Iterator[None]:
    import psutil

    write_json(folder / "running.json", {"pid": os.getpid(), "started": psutil.Process().create_time()})
    try:
        yield
    finally:
        (folder / "running.json").unlink(missing_ok=True)
