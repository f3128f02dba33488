"""The gateway in a process of its own, for as long as a `with` block lasts: for notebooks, tests and benchmarks.

with GatewayProcess("--upstream", f"mock={mock.url}") as gateway:
    Client(gateway.url).chat("Hello")
"""

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from typing import Self

from helpers.client.child import Child


class GatewayProcess(Child):
    """`./course serve` with the given arguments, on a free port; it ends with this process, however that ends.

    Args:
        *arguments: as on the command line; nothing needs to be said of the port.
        environment: variables set for it besides this process's own.
        ui: whether it has the chat UI too, which takes a second longer to start.

    Raises:
        EngineFailed: it did not start; the message carries its own words.
    """

    title = "the gateway"
    stop_limit_s = 40.0  # a little more than the default drain time

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None, ui: bool = False) -> None:
        super().__init__()
        self._arguments = arguments if ui else ("--no-ui", *arguments)
        if ui:
            self.start_limit_s = (
                300.0  # a second on a quiet machine; NiceGUI is many files, and others may use the disk
            )
        self._environment = {**os.environ, **(environment or {})}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`

    @property
    def log(self) -> str:
        """What it has written to standard error so far: one JSON object a line."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def start(self) -> Self:
        """Start it and wait until it listens."""
        argv = [sys.executable, "-m", "helpers", "serve", "--port", "0", "--json", "--with-parent", *self._arguments]
        return self._run(argv, self._log, self._environment)

    def last_words(self) -> str:
        """The end of its log."""
        return " ".join(self.log.strip().splitlines()[-3:])[:500]

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, limit_s: float) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        assert self._process is not None
        return self._process.wait(limit_s)

    def stop(self) -> None:
        """End it: running requests get the drain time; it is gone when this returns."""
        super().stop()
        self._log.close()
