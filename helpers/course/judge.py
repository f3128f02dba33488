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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from helpers.config import ROOT
from helpers.course.answers import Outcome
from helpers.course.task import Case

TIMEOUT = "Timeout"
DIED = "ProcessDied"
MISSING = "Missing"
"""Error names of outcomes that are not the function's own."""

JOIN_LIMIT_S = 2.0
LONGEST_LINE_BYTES = 4_000_000
LONGEST_MESSAGE = 10_000
MOST_LINES_AHEAD = 10_000
"""What a child may say that ran wild; an honest one says a line a case, of at most a megabyte."""


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


def ask(
    jobs: Sequence[Job], time_limit_s: float, command: Callable[..., Sequence[str]] = lambda *words: words
) -> list[list[Outcome]]:
    """Call the function of each job on each of its cases.

    Args:
        jobs: done in order, in one child as long as it lives and answers.
        time_limit_s: for each job; the first of a child includes its start.
        command: makes the command that starts the child of a program and its arguments, such as one that runs it in a
            jail.

    Returns:
        Per job one outcome per case, in order. Error names beside Python's own: `Timeout`, `ProcessDied`, `Missing`
        (no such function; the message says which source failed), `WrongType`, `TooLarge`.
    """
    answers: list[list[Outcome]] = []
    while len(answers) < len(jobs):
        answers += _ask_one_child(jobs[len(answers) :], time_limit_s, command)
    return answers


def _ask_one_child(
    jobs: Sequence[Job], time_limit_s: float, command: Callable[..., Sequence[str]]
) -> list[list[Outcome]]:
    """The answers to as many jobs as one child lives for, at least one."""
    child = subprocess.Popen(
        command(sys.executable, "-m", "helpers.course.judge_child"),
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
        # A process that escaped may hold the other end of the pipe for as long as it likes.
        reader.join(JOIN_LIMIT_S)


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
                    outcomes.append(read_outcome(case.name, line))
                    continue
                error, message = DIED, "the process ended before it answered"
        outcomes.append(Outcome(case.name, error=error, message=message))
    return outcomes


def read_outcome(case: str, line: bytes) -> Outcome:
    """One line of the child's; the learner's code runs there, so it need not be what the child writes."""
    try:
        told = json.loads(line)
        outcome = Outcome(case, told["value"], str(told["error"]), str(told["message"])[:LONGEST_MESSAGE])
        repr(outcome.value)  # nested too deep to be shown is nested too deep to be compared
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError):
        return Outcome(case, error="WrongType", message="the answer cannot be read")
    return outcome


def _read(child: subprocess.Popen[bytes], lines: "queue.Queue[bytes]") -> None:
    """Pass on the child's lines, and an empty one at their end, or where one grows without end."""
    assert child.stdout is not None
    with child.stdout:
        while (line := child.stdout.readline(LONGEST_LINE_BYTES)).endswith(b"\n"):
            if lines.qsize() > MOST_LINES_AHEAD:
                break
            lines.put(line)
    lines.put(b"")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it started in its session."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
