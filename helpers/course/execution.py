"""Running one notebook by papermill, in a child with a wall clock, and saying truthfully how it ended.

Papermill's own word is not enough: it returns normally after `sys.exit()`, its per-cell statuses say "completed" for
cells that never ran, and it waits for ever where no limit is given. Outcomes are decided by the exception that was
caught and by execution counts.

| outcome            | when                                                                     |
|--------------------|--------------------------------------------------------------------------|
| ok                 | every code cell ran, none raised                                          |
| error              | a cell raised                                                             |
| timeout            | a cell, or the notebook as a whole, exceeded its time                     |
| kernel-died        | the kernel, or the process that ran it, ended by itself                   |
| stopped-early      | no error, yet cells stayed unrun: sys.exit(), or a tag that skips cells   |
| output-flood       | more output than allowed                                                  |
| engine-unavailable | a cell raised EngineUnavailable                                           |
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from helpers.config import ROOT
from helpers.course.descendants import MARK, Descendants

TaskOutcome = Literal[
    "ok", "error", "timeout", "kernel-died", "stopped-early", "output-flood", "tampered", "engine-unavailable"
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a notebook may use.

    Attributes:
        notebook_s: seconds for the whole notebook, kernel start included.
        cell_s: seconds for one cell.
        output_bytes: all outputs together.
    """

    notebook_s: float
    cell_s: float
    output_bytes: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of a notebook ended; `reason` is one line, empty if all is well."""

    outcome: TaskOutcome
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CellStart:
    """A cell begins: the `index`-th of `total`, counted from 1."""

    index: int
    total: int
    cell: str


def execute(
    notebook: Path,
    output: Path,
    parameters: Mapping[str, Any],
    limits: Limits,
    on_cell: Callable[[CellStart], None] = lambda start: None,
) -> Ending:
    """Run a notebook from top to bottom.

    Args:
        notebook: the .ipynb to run; it is not changed.
        output: the executed copy, saved before every cell; whatever the child says on stderr goes into log.txt beside.
        parameters: JSON values for the cell tagged parameters.
        limits: when to stop it.
        on_cell: called in this thread when a cell begins.

    Returns:
        How it ended. Nothing it started is alive any more.
    """
    started = time.monotonic()
    mark = uuid.uuid4().hex
    request = {
        "notebook": str(notebook.resolve()),
        "output": str(output.resolve()),
        "parameters": dict(parameters),
        "limits": asdict(limits),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with (output.parent / "log.txt").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "helpers.course.execution_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**kernel_environment(), MARK: mark},
            start_new_session=True,
        )
    assert child.stdin is not None
    descendants = Descendants(child.pid, mark)
    try:
        # The pipe stays open: its end tells the child that we are gone.
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        outcome, reason = _follow(child, started + limits.notebook_s, limits, on_cell)
    except BrokenPipeError:
        outcome, reason = "kernel-died", f"the process that runs the notebook did not start; see {log.name}"
    finally:
        descendants.end()
        child.wait()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
    return Ending(outcome, reason, round(time.monotonic() - started, 3))


def kernel_environment() -> dict[str, str]:
    """The environment of a process that starts kernels: this environment's own kernelspec, and these helpers."""
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": str(ROOT)}
    # A folder named there would come first, with a python3 kernel of some other environment.
    environment.pop("JUPYTER_PATH", None)
    return environment


def _follow(
    child: subprocess.Popen[bytes],
    deadline: float,
    limits: Limits,
    on_cell: Callable[[CellStart], None],
) -> tuple[TaskOutcome, str]:
    """Read the child's events until the notebook ended or its time is up."""
    events: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read_events, args=(child, events), daemon=True).start()
    cell = ""
    while True:
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return "timeout", f"the notebook ran longer than {limits.notebook_s:g} s; it was in cell {cell or 'none'}"
        if event is None:
            return "kernel-died", f"the process that ran the notebook ended in cell {cell or 'none'}"
        if event["event"] == "end":
            return event["outcome"], event["reason"]
        cell = event["cell"]
        on_cell(CellStart(event["index"], event["total"], cell))


def _read_events(child: subprocess.Popen[bytes], events: "queue.Queue[dict[str, Any] | None]") -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            events.put(json.loads(line))
    events.put(None)
