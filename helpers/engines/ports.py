"""A TCP port held for an engine from before its start until it listens itself, so that two launches never share one."""

import os
import socket
import sys
from types import TracebackType

from helpers.config import read_settings
from helpers.errors import MissingError, UsageError

HOST = "127.0.0.1"


class HeldPort:
    """A port that nobody else gets while it is held.

    The socket is bound but does not listen. With SO_REUSEADDR, Linux lets the engine bind the same port beside it and
    hands the port to no one who asks for just any. For a port that was asked for, a lock file keeps out a second
    launch that asks for it too and would otherwise take the first one's answers for its own.

    Args:
        number: the port, or 0 for a free one.

    Raises:
        UsageError: the port is taken.
        MissingError: the cache folder cannot be written.
    """

    def __init__(self, number: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._lock: int | None = None
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((HOST, number))
            self.number: int = self._socket.getsockname()[1]
            if number:
                self._lock = _lock(number)
        except MissingError:
            self.release()
            raise
        except OSError as error:
            self.release()
            raise UsageError(
                f"port {number} cannot be used: {error.strerror or error}",
                "another server listens there, or is starting there",
                "choose another port, or port=0 for a free one",
            ) from error

    def hand_over(self) -> None:
        """Just before the engine starts: let it bind where the system allows no two sockets on one port."""
        if sys.platform != "linux":
            self._socket.close()

    def release(self) -> None:
        """The engine listens, or has failed."""
        self._socket.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "HeldPort":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock(number: int) -> int:
    import fcntl  # not on Windows, where engines are only attached to

    folder = read_settings().cache / "ports"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingError(f"{folder} cannot be made", error.strerror or str(error)) from error
    descriptor = os.open(folder / str(number), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
