"""Running a sanitised notebook: papermill here, where it can be trusted, and the kernel alone in its jail.

The kernel can neither kill nor reach the process that listens to it, so outcome, executed notebook and time are the
grader's own. What the notebook leaves in its run folder is taken out file by file afterwards.
"""

import json
import os
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from helpers.course.execution import Ending, TaskOutcome
from helpers.grade.guard import Guard
from helpers.grade.jail import Jail
from helpers.grade.limits import UnitLimits

KERNEL = "graded"
BACKSTOP_S = 60.0
"""Beyond the guard's own limit for a cell: papermill's, should the guard not see the kernel."""

COPY_BYTES = 1 << 20
DEEPEST = 12


def run_notebook(
    notebook: Path, output: Path, parameters: Mapping[str, Any], jail: Jail, limits: UnitLimits, folder: Path
) -> Ending:
    """Run a notebook from top to bottom; call it in a process of its own, and in its main thread.

    Args:
        notebook: the sanitised notebook.
        output: the executed copy.
        parameters: JSON values for the cell tagged parameters.
        jail: where the kernel runs.
        limits: what it may use.
        folder: the unit's scratch folder.

    Returns:
        How it ended. Nothing of the jail is alive any more.
    """
    from papermill.engines import papermill_engines

    from helpers.course import execution_child

    started = time.monotonic()
    pid_file, connection = folder / "kernel.pid", folder / "home" / "kernel.json"
    jail = replace(jail, pid_file=str(pid_file), copy=("-f", str(connection)))
    _write_kernelspec(folder / "jupyter", jail)
    papermill_engines.register("course", execution_child.CourseEngine)
    request = {
        "notebook": str(notebook),
        "output": str(output),
        "parameters": dict(parameters),
        "kernel": KERNEL,
        "limits": {"cell_s": limits.cell_s + BACKSTOP_S, "output_bytes": limits.output_bytes},
    }
    with Guard(limits, pid_file, (folder / "run", folder / "home")) as guard:
        # The guard hears what papermill's child process would tell its parent.
        said = execution_child.run(request, guard)  # type: ignore[arg-type]
    outcome, reason = guard.ending or (cast(TaskOutcome, said[0]), said[1])
    return Ending(outcome, reason, round(time.monotonic() - started, 3))


def collect(source: Path, target: Path, limits: UnitLimits) -> list[str]:
    """Copy what a notebook left: regular files only, and no more than it may have; a line for what was left out.

    Call it when nothing runs any more that could change the folder.
    """
    left_out: list[str] = []
    files, size = 0, 0
    for parent, folders, names in os.walk(source):
        inside = Path(parent).relative_to(source)
        if len(inside.parts) >= DEEPEST:
            folders.clear()
        for name in sorted(names):
            path = Path(parent, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                left_out.append(f"{inside / name} is no regular file")
                continue
            files, size = files + 1, size + status.st_size
            if files > limits.files or size > limits.disk_bytes:
                left_out.append(f"{inside / name} and what follows: too much")
                return left_out
            _copy(path, target / inside / name)
    return left_out


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file, target.open("wb") as copy:
        while chunk := file.read(COPY_BYTES):
            copy.write(chunk)


def _write_kernelspec(folder: Path, jail: Jail) -> None:
    """A kernel that starts in the jail; Jupyter finds it by JUPYTER_PATH."""
    # Interrupts, histories and debuggers are of no use here.
    options = ["--HistoryManager.enabled=False"]
    argv = jail.command(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *options)
    spec = {"argv": argv, "display_name": KERNEL, "language": "python"}
    (folder / "kernels" / KERNEL).mkdir(parents=True, exist_ok=True)
    (folder / "kernels" / KERNEL / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = str(folder)
