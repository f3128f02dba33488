"""A child that answers in lines of JSON, and what a learner left as such a child: in a jail, watched, on loopback."""

import contextlib
import json
import math
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.grade.guard import Guard
from helpers.grade.jail import Jail
from helpers.grade.request import UnitRequest

LARGEST_ANSWER_BYTES = 20_000_000
LOOPBACK_URL = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
"""Where a child of a learner's may say that it listens: the grader's requests go nowhere else."""

Told = Callable[[], dict[str, Any] | None]
"""Reads the child's next line; None at its end, or where the line is no JSON object."""

Ask = Callable[[dict[str, Any]], None]
"""Writes the child a line."""


def new_place(request: UnitRequest, name: str) -> str:
    """A place of its own for a jail, which nothing wrote to before."""
    Path(request.scratch).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=request.scratch)).name


@contextmanager
def talk_to(command: Sequence[str], limit_s: float) -> Iterator[tuple[Told, Ask]]:
    """A child for as long as the block lasts, and never longer than `limit_s`."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    limit = threading.Timer(limit_s, process.kill)
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


def learners_jail(request: UnitRequest, *files: Path) -> Jail:
    """A jail in a new place, with copies of files that the learner left; on the unit's own network."""
    place = new_place(request, "played")
    jail = request.jail(place, network="shared")
    for file in files:
        copy = Path(jail.folder, file.name)
        shutil.copyfile(file, copy)
        copy.chmod(0o644)  # whatever the grader's umask: another user reads it
    return replace(jail, pid_file=str(Path(request.scratch, place, "pid")))


@contextmanager
def listening(
    request: UnitRequest, jail: Jail, program: Sequence[str], limit_s: float, first: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """A learner's server for as long as the block lasts.

    Args:
        request: the unit.
        jail: as `learners_jail` made it.
        program: writes one line, {"url"}, when it answers requests.
        limit_s: after which it is ended.
        first: the line that it reads first; None for none.

    Yields:
        Where it listens, without a path; empty if it does not.
    """
    limits = replace(request.limits, notebook_s=math.inf)  # the child has its own time
    guard = Guard(limits, Path(jail.pid_file), tuple(Path(folder) for folder in jail.write))
    with guard, talk_to(jail.command(*program), limit_s) as (told, ask):
        if first is not None:
            ask(dict(first))
        url = str((told() or {}).get("url")).removesuffix("/v1").rstrip("/")
        yield url if LOOPBACK_URL.fullmatch(url) else ""
