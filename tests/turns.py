"""Tests in several processes take turns: most run beside each other, one marked `alone` has the machine to itself.

What a test judges against the clock, another process's work would falsify on a machine with few cores.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """Who may run now; one instance in each process, all on one folder.

    A file lock is shared by the tests that run beside each other. Who waits for it holds the gate meanwhile: nobody
    who comes later goes first.
    """

    def __init__(self, folder: Path) -> None:
        # Numbers, not files: they are held until the process ends.
        self._gate, self._turn = (os.open(folder / name, os.O_RDWR | os.O_CREAT) for name in ("gate", "turn"))

    @contextmanager
    def take(self, alone: bool) -> Iterator[None]:
        """Wait for a turn; it ends with the block."""
        if sys.platform == "win32":
            yield  # there is no flock; a test marked `alone` may then fail on a busy machine
            return
        import fcntl

        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
