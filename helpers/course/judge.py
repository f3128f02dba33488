"""Calling a learner's function in another process: source and inputs go in as JSON, outcomes come back as JSON.

The child gets only sources; nothing of it is imported or unpickled here. One time limit covers all cases: a case that
was not answered in time has the outcome `Timeout`. What a function prints is dropped. This is a border between
processes, not a sandbox: limits on memory, files and network are the grader's.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

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


def ask(sources: Sequence[Source], function: str, cases: Sequence[Case], time_limit_s: float) -> list[Outcome]:
    """Run the sources in a child, then call the function on each case.

    Args:
        sources: run in order in one namespace; one that raises is skipped.
        function: what to call.
        cases: only their names and inputs leave this process.
        time_limit_s: for everything together.

    Returns:
        One outcome per case, in order. Error names beside Python's own: `Timeout`, `ProcessDied`, `Missing` (no such
        function; the message says which source failed), `WrongType`, `TooLarge`.
    """
    request = {
        "sources": [asdict(source) for source in sources],
        "function": function,
        "cases": [{"name": case.name, "inputs": dict(case.inputs)} for case in cases],
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "helpers.course.judge_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    error, message = DIED, "the process ended before it answered"
    try:
        output, _ = child.communicate(json.dumps(request).encode(), timeout=time_limit_s)
    except subprocess.TimeoutExpired:
        error, message = TIMEOUT, f"no answer within {time_limit_s:g} s: does a loop never end?"
        _end(child)
        output, _ = child.communicate()
    except BaseException:
        _end(child)
        child.communicate()
        raise
    answered = [Outcome(**json.loads(line)) for line in output.decode(errors="replace").split("\n")[:-1]]
    return answered + [Outcome(case.name, error=error, message=message) for case in cases[len(answered) :]]


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it started in its session."""
    if hasattr(os, "killpg"):
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
