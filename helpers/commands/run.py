"""`./course run`: the task notebooks, unattended."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.errors import MissingError

if TYPE_CHECKING:
    from helpers.course.catalogue import Entry
    from helpers.course.execution import CellStart
    from helpers.course.run import RunResult

LINE_EVERY_S = 10.0
"""How often progress is written where lines cannot be overwritten."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("task", nargs="*", help="1 to 6, 12.1 to 12.6, or a stem; all that exist by default")
    parser.add_argument("--engine", default="", help="the engine to measure with; the notebooks' own default: auto")
    parser.add_argument("--model", default="", help="the model to measure; the notebooks' own default: course")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small samples; the default")
    size.add_argument("--full", action="store_true", help="samples large enough for narrow intervals")
    parser.add_argument("--out", type=Path, help="folder of the run; runs/TIME by default; a stopped run resumes")
    parser.add_argument("--json", action="store_true", help="print summary.json, and nothing else, on standard output")


class Progress:
    """Says which cell runs: on a terminal one line that is overwritten, elsewhere a line now and then."""

    def __init__(self, tasks: int) -> None:
        self._tasks = tasks
        self._stems: dict[str, float] = {}
        self._written = 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, entry: "Entry", start: "CellStart") -> None:
        """A cell begins."""
        now = time.monotonic()
        first = entry.stem not in self._stems
        began = self._stems.setdefault(entry.stem, now)
        minutes, seconds = divmod(int(now - began), 60)
        line = (
            f"task {len(self._stems)} of {self._tasks}: {entry.stem}, "
            f"cell {start.index} of {start.total} ({start.cell or 'parameters'}), {minutes}:{seconds:02}"
        )
        if self._terminal:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        elif first or start.index == start.total or now - self._written >= LINE_EVERY_S:
            sys.stderr.write(line + "\n")
            self._written = now

    def close(self) -> None:
        """Leave the line."""
        if self._terminal and self._stems:
            sys.stderr.write("\r\033[K")


def run(arguments: argparse.Namespace) -> int:
    """Run the tasks and show their milestones."""
    from helpers.course.catalogue import find_task, find_tasks
    from helpers.course.run import RunOptions, open_run, run_tasks

    entries = [find_task(name) for name in dict.fromkeys(arguments.task)] or list(find_tasks())
    if not entries:
        raise MissingError("there are no tasks", "content/ is empty", "git pull")
    if arguments.engine:
        _require_engine(arguments.engine)
    options = RunOptions(arguments.engine, arguments.model, quick=not arguments.full)
    folder, resumed = open_run(entries, options, arguments.out)
    sys.stderr.write(f"{'Resuming' if resumed else 'Running into'} {folder}\n")
    progress = Progress(len(entries))
    try:
        result = run_tasks(entries, options, folder, progress)
    finally:
        progress.close()
    if arguments.json:
        print(json.dumps(result.to_json()))
    else:
        show(result)
    return 0 if result.holds else 1


def show(result: "RunResult") -> None:
    """Print the milestone table and where the report is."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=False)
    table = Table("task", "milestone", "state", "why, or measured with", title_justify="left")
    colours = {"reached": "green", "not-reached": "red", "not-run": "yellow"}
    for task in result.tasks:
        for milestone in task.milestones:
            state = f"[{colours[milestone.state]}]{milestone.state}[/]"
            table.add_row(str(task.entry.name), milestone.id, state, milestone.reason or milestone.backend)
    console.print(table)
    for task in result.tasks:
        if task.ending.outcome != "ok":
            console.print(f"task {task.entry.name}: {task.ending.outcome}: {task.ending.reason}", markup=False)
    console.print("Report:", style="bold", end=" ")
    console.print(str((result.folder / "index.html").resolve()), markup=False, soft_wrap=True)


def _require_engine(engine: str) -> None:
    from helpers.engines.registry import names
    from helpers.errors import UsageError

    if engine not in (*names(), "auto"):
        raise UsageError(f"there is no engine {engine!r}", f"the engines are auto, {', '.join(names())}")
