"""Holds a running notebook to its limits: looks at it several times a second, and kills its jail at the first breach.

Papermill's own time limit asks the kernel politely first; a kernel that is killed answers at once.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import psutil

from helpers.course.execution import TaskOutcome
from helpers.grade.limits import UnitLimits

LOOK_S = 0.2
DISK_EVERY = 5
"""Looks; walking through files takes longer than reading process tables."""

DEEPEST = 64
"""Folders in each other; `os.walk` is recursive, and a thousand would end the watch."""


class Guard:
    """The watch over one notebook; papermill's child tells it when cells begin and when outputs are too many.

    Args:
        limits: what to hold.
        pid_file: where the jail writes its process number.
        folders: the unit's writable folders.
        one_after_another: processes come and go in the jail, and a breach ends the one that is there; else it ends
            whatever starts later too.

    Attributes:
        cell: the id of the cell that runs.
        ending: outcome and reason of the first breach; None so far.
    """

    def __init__(
        self, limits: UnitLimits, pid_file: Path, folders: tuple[Path, ...], *, one_after_another: bool = False
    ) -> None:
        self.cell = "none"
        self.ending: tuple[TaskOutcome, str] | None = None
        self._limits = limits
        self._pid_file = pid_file
        self._folders = folders
        self._one_after_another = one_after_another
        self._deadline = time.monotonic() + limits.notebook_s
        self._cell_deadline = self._deadline
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Guard":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.kill()

    def cell_start(self, index: int, total: int, cell: str) -> None:
        """A cell begins."""
        self.cell = cell
        self._cell_deadline = time.monotonic() + self._limits.cell_s

    def end(self, outcome: TaskOutcome, reason: str) -> None:
        """The notebook is over; what came first counts."""
        with self._lock:
            if self.ending is None:
                self.ending = outcome, reason
        self.kill()

    def kill(self) -> None:
        """Kill the jail and everything below it."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(OSError, ValueError):
            # The group too: where there are no process namespaces, an orphan may still be in it.
            os.killpg(int(self._pid_file.read_text()), signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(int(self._pid_file.read_text()))
            return [top, *top.children(recursive=True)]
        except (OSError, ValueError, psutil.NoSuchProcess):
            return []

    def _watch(self) -> None:
        looks = 0
        while not self._done.wait(LOOK_S):
            looks += 1
            if self.ending is not None and not self._one_after_another:
                self.kill()  # what was started since then
                continue
            try:
                self._look(with_disk=looks % DISK_EVERY == 0)
            except Exception as error:  # noqa: BLE001  (visible: it becomes the outcome; unwatched nothing may run)
                self.end("error", f"cell {self.cell}: it could not be watched: {type(error).__name__}: {error}")

    def _look(self, *, with_disk: bool) -> None:
        now = time.monotonic()
        if now > self._deadline:
            self.end("timeout", f"cell {self.cell}: the notebook ran longer than {self._limits.notebook_s:g} s")
        elif now > self._cell_deadline:
            self.end("timeout", f"cell {self.cell}: longer than {self._limits.cell_s:g} s")
        elif self._memory_bytes() > self._limits.memory_bytes:
            self.end("error", f"cell {self.cell}: more than {self._limits.memory_bytes:,} bytes of memory")
        elif with_disk and (problem := disk_problem(self._folders, self._limits)):
            self.end("error", f"cell {self.cell}: {problem}")

    def _memory_bytes(self) -> int:
        """Resident memory; pages that processes share count once, if it matters."""
        processes = self._processes()
        total = 0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        if total <= self._limits.memory_bytes:
            return total
        own = 0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
                own += process.memory_full_info().uss
        return own


def disk_problem(folders: tuple[Path, ...], limits: UnitLimits) -> str:
    """What the files in these folders exceed; empty if nothing. A folder is a file too."""
    count = size = 0
    for folder in folders:
        for parent, inner, names in os.walk(folder):
            if len(Path(parent).parts) - len(folder.parts) > DEEPEST:
                return f"more than {DEEPEST} folders in each other"
            for name in (*inner, *names):
                with contextlib.suppress(OSError):
                    size += os.lstat(os.path.join(parent, name)).st_blocks * 512
                count += 1
                if count > limits.files:
                    return f"more than {limits.files:,} files"
            if size > limits.disk_bytes:
                return f"more than {limits.disk_bytes:,} bytes of files"
    return ""
