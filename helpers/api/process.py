"""The gateway in a process of its own, for as long as a `with` block lasts: for notebooks, tests and benchmarks.

with GatewayProcess("--upstream", f"mock={mock.url}") as gateway:
    Client(gateway.url).chat("Hello")
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from types import TracebackType

from helpers.config import ROOT
from helpers.errors import EngineFailed

START_LIMIT_S = 60.0
STOP_LIMIT_S = 40.0
"""A little more than the default drain time."""


class GatewayProcess:
    """`./course serve` with the given arguments, on a free port; it ends with this process, however that ends.

    Args:
        *arguments: as on the command line; nothing needs to be said of the port.
        environment: variables set for it besides this process's own.

    Raises:
        EngineFailed: it did not start; the message carries its own words.
    """

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self.root = ""

    @property
    def url(self) -> str:
        """The OpenAI API's URL, with /v1."""
        return f"{self.root}/v1"

    @property
    def pid(self) -> int:
        """The process's number; 0 if there is none."""
        return 0 if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """What it has written to standard error so far: one JSON object a line."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def start(self) -> "GatewayProcess":
        """Start it and wait until it listens."""
        argv = [sys.executable, "-m", "helpers", "serve", "--port", "0", "--json", "--with-parent", *self._arguments]
        self._process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends the gateway
        )
        assert self._process.stdout is not None
        limit = threading.Timer(START_LIMIT_S, self._process.kill)
        limit.start()
        line = self._process.stdout.readline()
        limit.cancel()
        if not line:
            words = self.log.strip().splitlines()
            self.stop()
            raise EngineFailed("the gateway did not start", " ".join(words[-3:])[:500], "")
        self.root = json.loads(line)["url"]
        return self

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
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        self._process = None

    def __enter__(self) -> "GatewayProcess":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
