"""Which parts of the jail this machine can give, and the jail of one unit.

| part                    | Linux, root | Linux, user namespaces | elsewhere, or a locked-down container  |
|-------------------------|-------------|------------------------|----------------------------------------|
| resource limits         | yes         | yes                    | yes                                    |
| an unprivileged user    | yes         | the grader's own user  | as root: yes; else the grader's own    |
| files it does not need  | not there   | not there              | what that user may read                |
| network                 | loopback    | loopback               | open                                   |
| processes that escape   | cannot      | cannot                 | found by parent, mark and adoption     |

What is missing is said at the start of each grading, and kept in grade.json.
"""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.config import ROOT
from helpers.course.descendants import MARK
from helpers.errors import MissingError
from helpers.grade.jail import Jail
from helpers.grade.limits import UnitLimits

FIRST_UID, UIDS = 60_500, 4000
"""Users without a name. Whatever runs at once, here or in another grading, has its own: limits count by user."""

PROBE_LIMIT_S = 30.0
HIDDEN = ("solutions", "work", "runs", "private", ".git", "tests")
"""Of the clone; so are the masters with their solutions, and the planted wrong answers."""

HIDDEN_CONTENT = ("lab.py", "wrong", "private.py", "private")
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "COURSE_PROFILE", "COURSE_CATALOG", "COURSE_BROWSER")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What can be done here.

    Attributes:
        namespaces: a file system and process numbers of its own.
        network: a network of its own, loopback only.
        other_user: an unprivileged user.
    """

    namespaces: bool
    network: bool
    other_user: bool

    def missing(self) -> list[str]:
        """A line for each part that this machine does not give."""
        lines = []
        if not self.namespaces:
            lines.append("submissions see every file that their user may read, and processes may try to escape")
        if not self.network:
            lines.append("submissions reach the network")
        if not self.other_user and not self.namespaces:
            lines.append("submissions run as you; a container gives them a user and a file system of their own")
        return lines

    def to_json(self) -> dict[str, Any]:
        """For grade.json, with what is missing in words."""
        return {**asdict(self), "missing": self.missing()}


@functools.cache
def probe() -> Sandbox:
    """Try what this machine allows."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    linux = (Sandbox(True, True, root), Sandbox(True, False, root)) if sys.platform == "linux" else ()
    # Another user may not be able to read this Python, where it lies in somebody's home.
    others = (Sandbox(False, False, True),) if root else ()
    return next((sandbox for sandbox in (*linux, *others) if _works(sandbox)), Sandbox(False, False, False))


def take_slot() -> int:
    """The number of a user that nobody else has; this process holds it until it ends, however it ends."""
    import fcntl

    folder = Path(tempfile.gettempdir(), "course-grade-users")
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(UIDS):
        # Not the lowest: processes of the last one that had it may still be ending.
        slot = (os.getpid() + number) % UIDS
        descriptor = os.open(folder / str(slot), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return slot
    raise MissingError(f"all {UIDS} users for submissions are taken", f"see {folder}")


def make_jail(
    sandbox: Sandbox,
    limits: UnitLimits,
    folder: Path,
    slot: int,
    *,
    network: str = "none",
    hide: tuple[Path, ...] = (),
    reveal: tuple[Path, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Jail:
    """The jail of a unit's processes.

    Args:
        sandbox: what is possible here.
        limits: what they may use.
        folder: the unit's scratch folder; `root`, `home` and `run` are made in it, the latter two for the processes.
        slot: whose user it has, as `take_slot` gave it.
        network: none, or shared with the process that starts it.
        hide: what they must not see, wherever it lies.
        reveal: what they see beside Python and the clone.
        environment: what is added to their environment.
    """
    uid = FIRST_UID + slot if sandbox.other_user else None
    for name in ("root", "home", "run"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        if uid is not None and name != "root":
            os.chown(folder / name, uid, uid)
    if uid is not None:
        folder.chmod(0o711)
    home = folder / "home"
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    own = {
        "HOME": str(home),
        "USER": "learner",
        "LOGNAME": "learner",
        "TMPDIR": "/tmp" if sandbox.namespaces else str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": str(home / ".ipython"),
        "COURSE_CACHE": str(home / ".cache"),
        "OPENBLAS_NUM_THREADS": "1",
        MARK: os.environ.get(MARK, "graded"),
    }
    masters = [path for name in HIDDEN_CONTENT for path in (ROOT / "content").glob(f"*/{name}")]
    hidden = [*(ROOT / name for name in HIDDEN), *masters, *hide]
    shown = [Path(sys.prefix), Path(sys.base_prefix), ROOT]
    return Jail(
        namespaces=sandbox.namespaces,
        root=str(folder / "root"),
        read=tuple(dict.fromkeys(str(path) for path in shown)),
        write=(str(folder / "home"), str(folder / "run")),
        hide=tuple(str(path) for path in hidden),
        reveal=tuple(str(path) for path in reveal),
        uid=uid,
        data_bytes=limits.data_bytes,
        processes=limits.processes if uid is not None or sandbox.namespaces else _own_processes() + limits.processes,
        file_bytes=limits.file_bytes,
        cpu_s=limits.cpu_s,
        tmp_bytes=limits.tmp_bytes,
        network=network if sandbox.network else "shared",
        environment={**kept, **own, **(environment or {})},
        folder=str(folder / "run"),
    )


def _works(sandbox: Sandbox) -> bool:
    with tempfile.TemporaryDirectory(prefix="course-probe-") as name:
        jail = make_jail(sandbox, UnitLimits(), Path(name), os.getpid() % UIDS)
        python = [sys.executable, "-I", "-S", "-c", "import os; os.listdir('/dev/fd'); print('works')"]
        try:
            done = subprocess.run(
                jail.command(*python), capture_output=True, text=True, timeout=PROBE_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.stdout.strip() == "works"


def _own_processes() -> int:
    """Threads of this user: without namespaces the limit counts all of them."""
    import psutil

    me = psutil.Process().username()
    total = 0
    for process in psutil.process_iter(["username", "num_threads"]):
        if process.info["username"] == me:
            total += process.info["num_threads"] or 0
    return total
