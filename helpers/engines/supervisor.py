"""The process between a launcher and its engine: it ends the engine when the launcher ends, however that happens.

    launcher --(pipe: standard input)--> supervisor --> engine, in a process group of its own

The first line on standard input is the job, JSON {"argv", "env", "grace_s", "stop", "meminfo", "floor_bytes"}. After it
nothing is written: the pipe closes when the launcher closes it, dies, or is killed, and then the engine's whole group
gets SIGTERM and, after the grace, SIGKILL. The one exception is the line "stay": the engine then outlives its launcher,
until the supervisor gets SIGTERM. `stop` is a command that ends what is no child of ours, a container; it is run before
the start too, since a container of that name can only be left from a crash.

    supervisor --(pipe)--> reaper, a forked copy in a session of its own

Should the supervisor itself be killed, its reaper ends what is left: the engine's group, and the container. It keeps
the supervisor's standard output and its lease open until then: who waits for their end knows that nothing is left.

A host that runs out of memory freezes, so the engine is killed when MemAvailable in the file `meminfo` falls below
`floor_bytes`.

One line of JSON goes to standard output: {"pid": N}, or {"error": "..."} if the engine cannot be started. Both write
their words to standard error, which is the engine's log. The exit code is the engine's, or 128 + signal.

Run by path with only the standard library, so that it starts in a few milliseconds and works for any engine.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
"""prctl option, linux/prctl.h."""

STAY = b"stay\n"
DONE = b"done\n"
LOOK_S = 0.25
"""How often memory is looked at."""

STOP_COMMAND_LIMIT_S = 20.0


def die_with_parent() -> None:
    """In the engine's process, on Linux: SIGKILL if the supervisor itself is killed.

    The signal comes when the thread that forked ends; the supervisor forks from its main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def signal_group(group: int, number: int) -> None:
    """Signal a process group; a group that is already gone is what we want."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def supervise(job: dict[str, object]) -> int:
    """Run the job's engine until it ends or the launcher does; return the exit code."""
    argv: list[str] = job["argv"]  # type: ignore[assignment]
    environment: dict[str, str] = job["env"]  # type: ignore[assignment]
    grace_s: float = job["grace_s"]  # type: ignore[assignment]
    stop: list[str] = job["stop"]  # type: ignore[assignment]
    reaper, tell_reaper = fork_reaper(stop)
    run_quietly(stop)
    try:
        engine = subprocess.Popen(
            argv,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        report({"error": f"{argv[0]}: {error.strerror or error}"})
        dismiss(reaper, tell_reaper)
        return 127
    with contextlib.suppress(BrokenPipeError):
        os.write(tell_reaper, b"%d\n" % engine.pid)
    report({"pid": engine.pid})
    ended = threading.Event()

    def end_engine() -> None:
        signal_group(engine.pid, signal.SIGTERM)
        ended.wait(grace_s)
        # Its workers too: they may outlive it, or ignore SIGTERM.
        signal_group(engine.pid, signal.SIGKILL)

    def watch_launcher() -> None:
        words = b""
        while piece := os.read(0, 4096):
            words += piece
        if words != STAY:
            end_engine()

    def watch_memory() -> None:
        while not ended.wait(LOOK_S):
            available = available_bytes(str(job["meminfo"]))
            if available is not None and available < int(str(job["floor_bytes"])):
                os.write(2, b"course watchdog: ended, %d MB of memory were left on the host\n" % (available // 10**6))
                signal_group(engine.pid, signal.SIGKILL)
                return

    threading.Thread(target=watch_launcher, daemon=True).start()
    threading.Thread(target=watch_memory, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end_engine).start())
    code = engine.wait()
    ended.set()
    signal_group(engine.pid, signal.SIGKILL)
    run_quietly(stop)
    dismiss(reaper, tell_reaper)
    return code if code >= 0 else 128 - code


def fork_reaper(stop: list[str]) -> tuple[int, int]:
    """Start the reaper; its process id, and the pipe that tells it the engine's process id and, at last, DONE."""
    reading, writing = os.pipe()
    reaper = os.fork()
    if reaper:
        os.close(reading)
        return reaper, writing
    os.close(writing)
    os.close(0)  # the launcher's pipe is the supervisor's to watch
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a session that ends signals everybody, and we are the last to go
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    words = b"".join(iter(lambda: os.read(reading, 4096), b""))
    if not words.endswith(DONE):
        os.write(2, b"course reaper: the supervisor was killed\n")
        if words:
            signal_group(int(words), signal.SIGKILL)
        run_quietly(stop)
    os._exit(0)


def dismiss(reaper: int, tell: int) -> None:
    """Let the reaper go, and wait until it has."""
    with contextlib.suppress(BrokenPipeError):  # somebody ended it
        os.write(tell, DONE)
    os.close(tell)
    os.waitpid(reaper, 0)


def run_quietly(command: list[str]) -> None:
    """Run the stop command, if there is one; that there was nothing to stop is no error."""
    if command:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=STOP_COMMAND_LIMIT_S,
                check=False,
            )


def available_bytes(meminfo: str) -> int | None:
    """MemAvailable; None where there is no such file (macOS)."""
    try:
        with open(meminfo, encoding="ascii") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    except OSError:
        return None


def report(message: dict[str, object]) -> None:
    """One line for the launcher."""
    # A launcher that is already gone reads nothing; its closed pipe ends the engine in a moment.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")


def read_job() -> dict[str, object] | None:
    """The first line of standard input; None if the launcher died before it wrote all of it."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return None
        line += piece
    job: dict[str, object] = json.loads(line)
    return job


if __name__ == "__main__":
    # Ctrl-C in a terminal is the launcher's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = read_job()
    sys.exit(supervise(given) if given is not None else 1)
