"""The processes a child started, its grandchildren and the escaped ones too, so that all of them can be ended.

They are found as children of children, and by a mark that every process inherits through its environment: a process
that moved to its own session and lost its parent still has it. One that clears its environment and loses its parent
is not found; neither are containers and services, which are nobody's descendants.
"""

import contextlib
from collections.abc import Iterator

import psutil

MARK = "COURSE_RUN_MARK"
"""The environment variable that marks every process of one execution."""

GRACE_S = 3.0
"""How long a process may take to end by itself after SIGTERM."""


class Descendants:
    """Everything that one child started.

    Args:
        pid: the child.
        mark: the value of MARK in the environment it was started with.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._top = psutil.Process(pid)
        self._mark = mark

    def end(self, *, with_top: bool = True) -> None:
        """End everything the child started, and the child itself: SIGTERM, then SIGKILL to what is left.

        Args:
            with_top: False where the child itself is the caller.
        """
        for kill in (False, True):
            found = {process for process in self._find() if with_top or process != self._top}
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if kill:
                        process.kill()
                    else:
                        process.terminate()
            psutil.wait_procs(list(found), timeout=GRACE_S)

    def _find(self) -> Iterator[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield self._top
            yield from self._top.children(recursive=True)
        for process in psutil.process_iter():
            # A process of another user, or one that has just ended, is none of ours.
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.environ().get(MARK) == self._mark:
                    yield process
