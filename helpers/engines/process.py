"""An engine's process: started under a supervisor, logged to a file, ended within two seconds, never left behind.

Knows argv, environment and log, and nothing of any engine. See `helpers.engines.supervisor` for what
guarantees that nothing is left when this process dies.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from helpers.errors import EngineUnavailable, MissingError

SUPERVISOR = Path(__file__).with_name("supervisor.py")
GRACE_S = 1.0
"""Between SIGTERM and SIGKILL."""

STOP_LIMIT_S = 1.8
"""After which the supervisor itself is killed."""

CONTAINER_LIMIT_S = 20.0
"""How much longer a container may take."""

STAY = b"stay\n"
MEMINFO = Path("/proc/meminfo")
"""Where the supervisor's watchdog looks."""

LOG_TAIL_BYTES = 64 * 1024
KEPT_LOGS = 20

_pipes: "weakref.WeakSet[IO[bytes]]" = weakref.WeakSet()
"""The pipes whose closing ends an engine."""


def _close_pipes() -> None:
    for pipe in _pipes:
        pipe.close()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    # A forked copy (multiprocessing's workers) may outlive us, and would hold the pipe open.
    os.register_at_fork(after_in_child=_close_pipes)


class EngineProcess:
    """A running engine.

    Args:
        argv: the program and its arguments.
        env: added to this process's environment.
        log: the file that takes its standard output and standard error.
        stop: a command that ends what is no child of ours (a container).
        floor_bytes: the engine is ended when less memory than this is available on the host.
        hold: a file descriptor that stays open as long as the engine runs (its lease).

    Raises:
        EngineUnavailable: the program cannot be started.
        MissingError: the log cannot be written.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        stop: Sequence[str] = (),
        floor_bytes: int = 0,
        hold: int | None = None,
    ) -> None:
        self.log = log
        job = {"argv": list(argv), "env": dict(env), "grace_s": GRACE_S, "stop": list(stop)}
        job |= {"meminfo": str(MEMINFO), "floor_bytes": floor_bytes}
        with _open_log(log) as words:
            self._supervisor = subprocess.Popen(
                # -I -S: neither the user's Python settings nor site-packages concern it.
                [sys.executable, "-I", "-S", str(SUPERVISOR)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,  # Ctrl-C in a terminal or notebook reaches us, and we decide
                pass_fds=() if hold is None else (hold,),
            )
        # Runs when nobody holds this object any more, and at the interpreter's end.
        self._end = weakref.finalize(self, _end, self._supervisor, STOP_LIMIT_S + (CONTAINER_LIMIT_S if stop else 0.0))
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        _pipes.add(self._supervisor.stdin)
        self._supervisor.stdin.write(json.dumps(job).encode() + b"\n")
        self._supervisor.stdin.flush()
        answer = json.loads(self._supervisor.stdout.readline() or '{"error": "its supervisor did not start"}')
        if "error" in answer:
            self.stop()
            raise EngineUnavailable(f"{argv[0]} cannot be started", answer["error"])
        self.pid: int = answer["pid"]

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + N if signal N ended it."""
        code = self._supervisor.poll()
        return code if code is None or code >= 0 else 128 - code

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end, at most this long; returns `exit_code`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(timeout_s)
        return self.exit_code

    def log_text(self) -> str:
        """The end of the log (64 KiB)."""
        with self.log.open("rb") as words:
            words.seek(max(0, words.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return words.read().decode("utf-8", "replace")

    @property
    def supervisor_pid(self) -> int:
        """The process that ends the engine when it gets SIGTERM."""
        return self._supervisor.pid

    def leave(self) -> None:
        """Let the engine outlive this process; SIGTERM to its supervisor ends it."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(STAY)
        self._supervisor.stdin.close()
        assert self._supervisor.stdout is not None
        self._supervisor.stdout.close()
        self._end.detach()
        self._supervisor.returncode = 0  # it is nobody's child to wait for any more

    def stop(self) -> None:
        """End it and everything it started; it is gone when this returns, within two seconds. May be repeated."""
        self._end()


def new_log(folder: Path, engine: str) -> Path:
    """A fresh log path in a folder that keeps the newest 20.

    Raises:
        MissingError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for old in logs[: -(KEPT_LOGS - 1)]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise MissingError(f"logs cannot be kept in {folder}", str(error)) from error
    return folder / f"{engine}-{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns()}.log"


def _open_log(log: Path) -> BinaryIO:
    try:
        return log.open("wb")
    except OSError as error:
        raise MissingError(f"the engine's log {log} cannot be written", str(error)) from error


def _end(supervisor: "subprocess.Popen[bytes]", limit_s: float) -> None:
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # the supervisor may be gone already, and the engine with it
        supervisor.stdin.close()
    try:
        supervisor.wait(limit_s)
    except subprocess.TimeoutExpired:
        # Its death is the engine's (see die_with_parent and fork_reaper).
        supervisor.kill()
        supervisor.wait()
    # The reaper closes it last: only then is nothing left.
    with selectors.DefaultSelector() as end_of_file:
        end_of_file.register(supervisor.stdout, selectors.EVENT_READ)
        end_of_file.select(limit_s)
    supervisor.stdout.close()
