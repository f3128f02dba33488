"""A learner's own server in a process of its own, for as long as a `with` block lasts.

    with helpers.AppProcess(create_app, run_dir / "server.py", upstream=mock.url) as server:
        helpers.Client(server.url).chat("Hello")

A server inside the notebook's kernel would share its event loop, its one interpreter lock and its fate; this one is
measured like any other.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from helpers.client.child import Child
from helpers.course.app_source import app_source
from helpers.errors import UsageError


class AppProcess(Child):
    """A server whose source stands in the cells of a notebook.

    Args:
        factory: the function of the notebook that makes the ASGI app.
        file: where its source and everything it uses is written, to be read; the log lies beside it as .log.
        **arguments: of the factory; JSON values.

    Raises:
        UsageError: the source cannot be collected, or an argument is no JSON value.
        EngineFailed: it did not start; the message carries its own words.
    """

    def __init__(self, factory: Callable[..., Any], file: Path, **arguments: Any) -> None:
        super().__init__()
        self.file = file.absolute()
        self.log = self.file.with_suffix(".log")
        self.advice = f"read {self.log}"
        try:
            request = json.dumps({"file": str(self.file), "factory": factory.__name__, "arguments": arguments})
        except TypeError as error:
            raise UsageError(f"an argument of {factory.__name__} is no JSON value", str(error), "") from error
        self._request = f"{request}\n".encode()
        self._source = app_source(factory)

    def start(self) -> Self:
        """Write the file, start the process and wait until it answers."""
        self.file.write_text(self._source, encoding="utf-8")
        with self.log.open("wb") as log:
            return self._run([sys.executable, "-m", "helpers.course.app_child"], log, first_line=self._request)

    def last_words(self) -> str:
        """The last line of its log."""
        return " ".join(self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])
