"""A learner's own server in a process of its own, for as long as a `with` block lasts.

    with helpers.AppProcess(create_app, run_dir / "server.py", upstream=mock.url) as server:
        helpers.Client(server.url).chat("Hello")

A server inside the notebook's kernel would share its event loop, its one interpreter lock and its fate; this one is
measured like any other.
"""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers.config import ROOT
from helpers.course.app_source import app_source
from helpers.errors import EngineFailed, UsageError

START_LIMIT_S = 60.0
STOP_LIMIT_S = 5.0


class AppProcess:
    """A server whose source stands in the cells of a notebook.

    Args:
        factory: the function of the notebook that makes the ASGI app.
        file: where its source and everything it uses is written, to be read; the log lies beside it as .log.
        **arguments: of the factory; JSON values.

    Attributes:
        root: the server's URL; url: that of its OpenAI API, with /v1. Empty before the start.

    Raises:
        UsageError: the source cannot be collected, or an argument is no JSON value.
        EngineFailed: it did not start; the message carries its own words.
    """

    def __init__(self, factory: Callable[..., Any], file: Path, **arguments: Any) -> None:
        self.root = ""
        self.file = file.absolute()
        self.log = self.file.with_suffix(".log")
        try:
            self._request = json.dumps(
                {"file": str(self.file), "factory": factory.__name__, "arguments": arguments}
            ).encode()
        except TypeError as error:
            raise UsageError(f"an argument of {factory.__name__} is no JSON value", str(error), "") from error
        self._source = app_source(factory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The OpenAI API's URL, with /v1."""
        return f"{self.root}/v1"

    def start(self) -> "AppProcess":
        """Write the file, start the process and wait until it answers."""
        self.file.write_text(self._source, encoding="utf-8")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "helpers.course.app_child"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends the server
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead already: its log says why
            self._process.stdin.write(self._request + b"\n")
            self._process.stdin.flush()
        limit = threading.Timer(START_LIMIT_S, self._process.kill)
        limit.start()
        line = self._process.stdout.readline()
        limit.cancel()
        if not line:
            self.stop()
            words = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise EngineFailed("the server did not start", " ".join(words[-1:]), f"read {self.log}")
        self.root = json.loads(line)["url"]
        return self

    def stop(self) -> None:
        """End it; it is gone when this returns."""
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
        self._process = None

    def __enter__(self) -> "AppProcess":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
