"""A server in a process of its own, for as long as a `with` block lasts.

The child writes one line of JSON, {"url": ...}, to its standard output when it answers requests, and ends when its
standard input closes: it never outlives the process that started it, however that ends.
"""

import contextlib
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Self

from helpers.config import ROOT
from helpers.errors import EngineFailed


class Child:
    """What the course's own servers share; each says what it starts in `start`.

    Attributes:
        title: what messages call it; advice: what to do where it does not start.
        start_limit_s: until it must listen. stop_limit_s: until it is killed.
        root: its URL; url: that of its OpenAI API, with /v1. Empty before the start.
    """

    title = "the server"
    advice = ""
    start_limit_s = 60.0
    stop_limit_s = 5.0

    def __init__(self) -> None:
        self.root = self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's number; 0 if there is none."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start it and wait until it listens.

        Raises:
            EngineFailed: it did not start; the message carries its own words.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End it; it is gone when this returns."""
        self._end()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def last_words(self) -> str:
        """Why it did not start, as far as it has said."""
        return "its message stands above"

    def _run(
        self,
        argv: Sequence[str],
        log: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        first_line: bytes = b"",
    ) -> Self:
        """Start a command and wait for its URL; its standard error goes to `log`, or where ours goes."""
        self._process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends the child
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if first_line:
            with contextlib.suppress(BrokenPipeError):  # it is dead already, and its last words say why
                self._process.stdin.write(first_line)
                self._process.stdin.flush()
        limit = threading.Timer(self.start_limit_s, self._process.kill)
        limit.start()
        line = self._process.stdout.readline()
        limit.cancel()
        if not line:
            self._end()
            words = self.last_words()
            self.stop()
            raise EngineFailed(f"{self.title} did not start", words, self.advice)
        self.root = json.loads(line)["url"].removesuffix("/v1")
        self.url = f"{self.root}/v1"
        return self

    def _end(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # what was not written, it will not read
            self._process.stdin.close()
        try:
            self._process.wait(self.stop_limit_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
