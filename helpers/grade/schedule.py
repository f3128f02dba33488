"""Work units in processes of their own, as many at a time as asked for; nothing of a unit stays in this process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.catalogue import find_task
from helpers.course.execution import kernel_environment
from helpers.course.files import read_json, write_json
from helpers.grade.judging import not_judged
from helpers.grade.replays import LONGEST_S
from helpers.grade.request import UnitRequest
from helpers.grade.results import Result, unit_folder

POLL_S = 0.05
ATTEMPTS = 2
"""Of a unit whose own process ended before it was done: memory of the machine may have been short for a moment."""

MARGIN_S = 300.0
"""For what follows the run, beside the limits of exercises."""

OnDone = Callable[[UnitRequest], None]


@dataclass
class _Running:
    request: UnitRequest
    process: subprocess.Popen[bytes]
    deadline: float
    attempt: int


def run_units(requests: Sequence[UnitRequest], jobs: int, scratch: Path, on_done: OnDone) -> None:
    """Grade units; each leaves its unit.json.

    Args:
        requests: what to grade; the scratch folder is filled in here.
        jobs: how many at a time.
        scratch: a folder for what is thrown away.
        on_done: called in this thread after each.
    """
    waiting = [(request, 1) for request in reversed(requests)]
    running: dict[int, _Running] = {}
    try:
        while waiting or running:
            for slot in range(jobs):
                if slot not in running and waiting:
                    request, attempt = waiting.pop()
                    running[slot] = _start(request, scratch, attempt)
            for slot, unit in list(running.items()):
                late = time.monotonic() > unit.deadline
                if unit.process.poll() is None and not late:
                    continue
                end(unit.process)
                del running[slot]
                if unit_content(unit.request) is not None:
                    on_done(unit.request)
                elif unit.attempt < ATTEMPTS and not late:
                    waiting.append((unit.request, unit.attempt + 1))
                else:
                    how = "it took too long" if late else f"{ATTEMPTS} times, code {unit.process.returncode}"
                    write_failure(unit.request, how)
                    on_done(unit.request)
            time.sleep(POLL_S)
    finally:
        for unit in running.values():
            end(unit.process)


def start(request: UnitRequest) -> subprocess.Popen[bytes]:
    """Start a unit's process; it ends when its standard input does."""
    folder = unit_folder(Path(request.out), request.learner, request.task)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unit.json").unlink(missing_ok=True)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.grade.unit_child"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=kernel_environment(),
            start_new_session=True,  # Ctrl-C reaches us, and we decide
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(request.to_json()).encode() + b"\n")
        process.stdin.flush()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a unit's process, and with it all that it started."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def unit_content(request: UnitRequest) -> dict[str, Any] | None:
    """What a unit left for this very request; None if it must be done (again)."""
    path = unit_folder(Path(request.out), request.learner, request.task) / "unit.json"
    try:
        content = read_json(path)
        done = content is not None and content["result"]["digest"] == request.digest
    except (ValueError, TypeError, KeyError):
        return None
    return content if done else None


def write_failure(request: UnitRequest, how: str) -> None:
    """A unit that cannot be graded is reported, and takes nobody else with it; the next grading tries it again."""
    reason = f"the process that graded it ended before it was done ({how}); see log.txt"
    items = not_judged(find_task(request.task), reason)
    result = Result(
        learner=request.learner,
        task=request.task,
        kind=request.kind,
        source=request.source,
        digest=request.digest,
        outcome="kernel-died",
        reasons=(reason,),
        items=tuple(items),
        seconds=0.0,
        seed=request.seed,
    )
    ledger: dict[str, list[str]] = {"engines": [], "refused": []}
    content = {"result": result.to_json(), "claims": [], "records": {}, "ledger": ledger, "failure": how}
    write_json(unit_folder(Path(request.out), request.learner, request.task) / "unit.json", content)


def deadline_s(request: UnitRequest) -> float:
    """How long a unit's process may take."""
    limits = request.limits
    return limits.notebook_s + MARGIN_S + 60 * limits.exercise_s + LONGEST_S


def _start(request: UnitRequest, scratch: Path, attempt: int) -> _Running:
    # Of its own: what another unit left, and could not be removed, must not stop this one.
    folder = Path(tempfile.mkdtemp(prefix="unit-", dir=scratch))
    folder.chmod(0o711)
    request = replace(request, scratch=str(folder))
    return _Running(request, start(request), time.monotonic() + deadline_s(request), attempt)
