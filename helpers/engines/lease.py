"""Who uses this machine, first come, first served: a board of tickets that all users of the host see.

A ticket is a numbered file, locked (flock) by the process it belongs to. When that process ends, however it ends, the
system drops the lock, and everybody else finds the ticket void at the next look (`POLL_S`). One is let in when no
earlier ticket excludes it.

| kind     | taken by                                                            | excludes             |
|----------|---------------------------------------------------------------------|----------------------|
| engine   | an engine that wants the GPU, by its supervisor, as long as it runs | other engines        |
| embedded | an engine on the CPU, or one started beside others on purpose       | nothing: it is shown |
| measure  | a measurement                                                       | measure, attach      |
| attach   | a request to an engine that was started elsewhere, while it runs    | measure              |

`engine`, `measure` and `attach` are taken on shared machines only (`is_shared`): on a laptop several engines, notebooks
and tests of one user may run side by side, and a run that met other load is marked by its own validity notes. Who is
attached and asks nothing keeps nobody from measuring.
"""

import contextlib
import getpass
import json
import logging
import os
import sys
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers.config import read_settings
from helpers.errors import MissingError

KINDS = ("engine", "embedded", "measure", "attach")
EXCLUDES = {("engine", "engine"), ("measure", "measure"), ("measure", "attach"), ("attach", "measure")}
POLL_S = 0.2
WAIT_LIMIT_S = 3600.0
"""Nobody waits longer for the machine: a class is over by then."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One entry of the board.

    Attributes:
        number: its place in the queue.
        kind: as in the table above.
        user, pid: whose it is; pid is the process that asked.
        since_s: when it was taken, seconds since 1970.
        facts: what else is known, such as engine, model, url.
    """

    number: int
    kind: str
    user: str
    pid: int
    since_s: float
    facts: dict[str, Any]

    def __str__(self) -> str:
        what = self.facts.get("what") or " ".join(filter(None, (self.facts.get("engine"), self.facts.get("model"))))
        since = time.strftime("%H:%M", time.localtime(self.since_s))
        return f"{self.user}: {self.kind}{f' ({what})' if what else ''} since {since}, process {self.pid}"


Waiting = Callable[[Sequence[Ticket]], None]
"""Told, at each look, whose tickets one waits for."""


def in_the_way(tickets: Sequence[Ticket], mine: Ticket) -> list[Ticket]:
    """The earlier tickets that keep mine out."""
    return [
        ticket
        for ticket in tickets
        if ticket.number < mine.number
        and (ticket.pid != mine.pid or mine.kind == "engine")
        and (ticket.kind, mine.kind) in EXCLUDES
    ]


class Hold:
    """A ticket of this process; `release` gives it back, and so does the end of the process.

    Attributes:
        descriptor: the locked file; a child that inherits it holds the ticket too.
    """

    def __init__(self, ticket: Ticket, path: Path, descriptor: int) -> None:
        self.ticket, self.path, self.descriptor = ticket, path, descriptor
        # Also when nobody holds this object any more.
        self._close = weakref.finalize(self, os.close, descriptor)

    def hand_over(self) -> None:
        """Leave the ticket to the child that inherited the descriptor: it lives as long as the child."""
        self._close()

    def tell(self, **facts: Any) -> None:
        """Add to what the board says of this ticket."""
        self.ticket.facts.update(facts)
        with _mutex(self.path.parent):
            self.path.write_text(_content(self.ticket), encoding="utf-8")

    def release(self) -> None:
        """Give it back. May be repeated."""
        with contextlib.suppress(OSError):  # a folder that was cleaned up meanwhile has no ticket to remove
            self.path.unlink()
        self.hand_over()

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def tickets(folder: Path | None = None) -> list[Ticket]:
    """All live tickets, in order; those of ended processes are removed."""
    folder = folder or read_settings().leases
    if sys.platform == "win32" or not folder.is_dir():
        return []
    with _mutex(folder):
        return _live(folder)


def take(kind: str, *, wait_s: float = WAIT_LIMIT_S, waiting: Waiting | None = None, **facts: Any) -> Hold:
    """Join the queue and wait for one's turn.

    Args:
        kind: engine, embedded, measure or attach.
        wait_s: how long; 0 to be let in at once or not at all.
        waiting: told whom one waits for; None: the log of `helpers` says it once.
        **facts: what the board shows: what, engine, model, ...

    Raises:
        MissingError: it did not get its turn in time, or the board cannot be written.
    """
    folder = read_settings().leases
    hold = _join(folder, kind, facts)
    deadline_s = time.monotonic() + wait_s
    told = False
    try:
        while True:
            others = in_the_way(tickets(folder), hold.ticket)
            if not others:
                return hold
            if time.monotonic() >= deadline_s:
                raise MissingError(
                    f"the machine is in use, and was not free within {wait_s:g} s",
                    "; ".join(map(str, others)),
                    "./course engines shows who uses it; wait, or ask them",
                )
            if waiting is not None:
                waiting(others)
            elif not told:
                told = True
                logging.getLogger("helpers").warning("Waiting for the machine: %s", "; ".join(map(str, others)))
            time.sleep(POLL_S)
    except BaseException:
        hold.release()
        raise


def is_held(path: Path) -> bool:
    """Whether a ticket's file is there and its process lives."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_shared() -> bool:
    """Whether this machine's GPU makes users wait for each other: it has one, or is a Spark by COURSE_PROFILE."""
    if sys.platform == "win32":
        return False
    from helpers.hardware import choose_profile, find_gpus, read_hardware

    return bool(find_gpus()) or choose_profile(read_hardware()) != "laptop"


def foreign(urls: Iterable[str]) -> list[str]:
    """On a shared machine: the engines that run beside those at these URLs, in words for a run's remarks."""
    if not is_shared():
        return []
    others = [t for t in tickets() if t.facts.get("state") == "running" and t.facts["url"] not in set(urls)]
    return [f"another engine was on the machine: {ticket}" for ticket in others]


@contextlib.contextmanager
def measuring(what: str, waiting: Waiting | None = None) -> Iterator[None]:
    """The machine to oneself for a measurement, on a shared machine; elsewhere nothing is taken."""
    if not is_shared():
        yield
        return
    with take("measure", what=what, waiting=waiting):
        yield


def _join(folder: Path, kind: str, facts: dict[str, Any]) -> Hold:
    import fcntl

    if kind not in KINDS:
        raise ValueError(f"no kind of ticket: {kind}")
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)  # one board for all users: a dead user's ticket is removed by whoever sees it
        with _mutex(folder):
            number = max((ticket.number for ticket in _live(folder)), default=0) + 1
            ticket = Ticket(number, kind, getpass.getuser(), os.getpid(), time.time(), facts)
            path = folder / f"{number:09d}-{uuid.uuid4().hex[:8]}.json"  # a number is given again, a name never
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever the umask: others must see it
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, _content(ticket).encode())
    except OSError as error:
        raise MissingError(
            f"the board of this machine's users, {folder}, cannot be written", str(error), "set COURSE_LEASES"
        ) from error
    return Hold(ticket, path, descriptor)


def _content(ticket: Ticket) -> str:
    return json.dumps([ticket.number, ticket.kind, ticket.user, ticket.pid, ticket.since_s, ticket.facts])


def _live(folder: Path) -> list[Ticket]:
    """Needs the mutex."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if is_held(path):
            with contextlib.suppress(FileNotFoundError):  # given back in this moment
                found.append(Ticket(*json.loads(path.read_text(encoding="utf-8"))))
        else:
            path.unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def _mutex(folder: Path) -> Iterator[None]:
    """One look or change at a time."""
    import fcntl

    path = folder / "mutex"
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_NOFOLLOW, 0o644)
        os.fchmod(made, 0o644)
        os.close(made)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
