"""Milestones whose evidence the notebook made by itself, played again by the grader on what the notebook left.

12.5.server: `server.py`, the learner's own server as the lab wrote it down, is started in a jail; the drill is played
against it from a process that it cannot reach; the task's own judge looks at what that saw. The evidence of the
notebook says only that there is something to play.
"""

import contextlib
import json
import math
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.catalogue import Entry
from helpers.course.task import Evidence, Verdict, not_reached
from helpers.grade.guard import Guard
from helpers.grade.request import DRILL, NOTEBOOK, UnitRequest

MILESTONE = "12.5.server"
SERVER = "server.py"
FACTORY = "create_app"
KEYS = {"learner": "ck-the-graders-own", "hasty": "ck-another-of-the-grader"}
LIMITS: dict[str, list[float]] = {"queue": [2, 4], "rate": [30, 1 / 3]}
BURST, HASTY = 12, 48
"""As in the lab: places at the engine and in the queue, requests at once and in a minute, and what is sent."""

ATTEMPTS = 2
"""A busy machine may miss a deadline of the drill once."""

TIME_LIMIT_S = 120.0
LARGEST_ANSWER_BYTES = 20_000_000


def play_again(entry: Entry, request: UnitRequest, folder: Path) -> Verdict:
    """The verdict on the grader's own drill of the server in a run folder."""
    verdict = not_reached(f"the run left no {SERVER} to play the drill against")
    if not (folder / SERVER).is_file():
        return verdict
    for _ in range(ATTEMPTS):
        situations = _play(request, folder / SERVER)
        if situations is None:
            verdict = not_reached("in the grader's own drill the server did not start, or did not come to rest")
            continue
        evidence = Evidence({"places": LIMITS["queue"][0], "situations": situations}, folder)
        try:
            verdict = entry.milestone(MILESTONE).judge(evidence)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            verdict = not_reached(f"what the server answered cannot be judged: {type(error).__name__}: {error}")
        if verdict.state == "reached":
            return verdict
    return not_reached(f"in the grader's own drill: {verdict.reason}")


def _play(request: UnitRequest, server: Path) -> list[Any] | None:
    """What the drill saw; None if it came to no end."""
    drill = request.jail(DRILL, network="shared").command(sys.executable, "-m", "helpers.grade.replay_child")
    with _child(drill) as (told, ask):
        routes = told()
        if routes is None:
            return None
        pid_file = Path(request.scratch, "server.pid")
        jail = replace(request.jail(NOTEBOOK, network="shared"), pid_file=str(pid_file))
        file = Path(jail.folder, SERVER)
        file.unlink(missing_ok=True)
        shutil.copyfile(server, file)
        digests = {name: sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
        arguments = {"routes": routes["routes"], "digests": digests, "limits": LIMITS}
        app = jail.command(sys.executable, "-m", "helpers.course.app_child")
        limits = replace(request.limits, notebook_s=math.inf)  # the child has its own time
        guard = Guard(limits, pid_file, tuple(Path(folder) for folder in jail.write))
        with guard, _child(app) as (app_told, app_ask):
            app_ask({"file": str(file), "factory": FACTORY, "arguments": arguments})
            listening = app_told()
            if listening is None:
                return None
            ask({"url": f"{str(listening.get('url')).removesuffix('/v1')}/v1"})
            seen = told()
    return None if seen is None else list(seen["situations"])


@contextmanager
def _child(command: list[str]) -> Iterator[tuple[Any, Any]]:
    """A child that talks in lines of JSON: functions that read one (None at its end) and write one."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    limit = threading.Timer(TIME_LIMIT_S, process.kill)
    limit.start()

    def told() -> dict[str, Any] | None:
        try:
            value = json.loads(stdout.readline(LARGEST_ANSWER_BYTES))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def ask(value: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(value).encode() + b"\n")
            stdin.flush()

    try:
        yield told, ask
    finally:
        limit.cancel()
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
        stdout.close()
