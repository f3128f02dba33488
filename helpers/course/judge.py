"""Calling a learner's functions in another process: sources and inputs go in as JSON, outcomes come back as JSON.

The child gets only sources; nothing of it is imported or unpickled here. Each job has its own time: a case that was
not answered in time has the outcome `Timeout`, and the jobs after it get a new child. What a function prints is
dropped. This is a border between processes, not a sandbox: limits on memory, files and network are the grader's.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from helpers.config import ROOT
from helpers.course.answers import Outcome
from helpers.course.task import Case

TIMEOUT = "Timeout"
DIED = "ProcessDied"
MISSING = "Missing"
"""Error names of outcomes that are not the function's own."""


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of code with the name errors should show: a cell's id or a file's name."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Job:
    """One function to call.

    Attributes:
        sources: run in order in one namespace, which no other job sees; one that raises is skipped.
        function: what to call.
        cases: only their names and inputs leave this process.
    """

    sources: Sequence[Source]
    function: str
    cases: Sequence[Case]


def ask(jobs: Sequence[Job], time_limit_s: float) -> list[list[Outcome]]:
    """Call the function of each job on each of its cases.

    Args:
        jobs: done in order, in one child as long as it lives and answers.
        time_limit_s: for each job; the first of a child includes its start.

    Returns:
        Per job one outcome per case, in order. Error names beside Python's own: `Timeout`, `ProcessDied`, `Missing`
        (no such function; the message says which source failed), `WrongType`, `TooLarge`.
    """
    answers: list[list[Outcome]] = []
    while len(answers) < len(jobs):
        answers += _ask_one_child(jobs[len(answers) :], time_limit_s)
    return answers


def _ask_one_child(jobs: Sequence[Job], time_limit_s: float) -> list[list[Outcome]]:
    """The answers to as many jobs as one child lives for, at least one."""
    child = subprocess.Popen(
        [sys.executable, "-m", "helpers.course.judge_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    lines: queue.Queue[bytes] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child, lines), daemon=True)
    reader.start()
    try:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError), child.stdin:
            child.stdin.write(json.dumps([_request(job) for job in jobs]).encode())
        answers = []
        for job in jobs:
            answers.append(_answers(job, lines, time_limit_s))
            if any(outcome.error in (TIMEOUT, DIED) for outcome in answers[-1]):
                break
        return answers
    finally:
        _end(child)
        child.wait()
        reader.join()


def _request(job: Job) -> dict[str, Any]:
    return {
        "sources": [asdict(source) for source in job.sources],
        "function": job.function,
        "cases": [{"name": case.name, "inputs": dict(case.inputs)} for case in job.cases],
    }


def _answers(job: Job, lines: "queue.Queue[bytes]", time_limit_s: float) -> list[Outcome]:
    deadline = time.monotonic() + time_limit_s
    outcomes: list[Outcome] = []
    error = message = ""
    for case in job.cases:
        if not error:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                error, message = TIMEOUT, f"no answer within {time_limit_s:g} s: does a loop never end?"
            else:
                if line:
                    outcomes.append(Outcome(**json.loads(line)))
                    continue
                error, message = DIED, "the process ended before it answered"
        outcomes.append(Outcome(case.name, error=error, message=message))
    return outcomes


def _read(child: subprocess.Popen[bytes], lines: "queue.Queue[bytes]") -> None:
    """Pass on the child's lines, and an empty one at their end."""
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            lines.put(line)
    lines.put(b"")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it started in its session."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
