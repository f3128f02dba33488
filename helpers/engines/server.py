"""A server that answers at a URL: launched here, or attached to.

    with helpers.launch("llama.cpp") as server:
        print(server.chat("What is a KV cache?"))

A launched one ends with its `with` block, with `stop()`, when nobody holds the object any more, and in any case with
this Python process.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers.client.openai import Client, Messages
from helpers.client.reply import Reply, RequestFailed
from helpers.engines import lease
from helpers.engines.adapter import Adapter
from helpers.engines.failures import explain
from helpers.engines.lease import Hold
from helpers.engines.plan import LaunchPlan
from helpers.engines.process import EngineProcess
from helpers.errors import EngineFailed, UsageError

DEATH_NOTICE_S = 0.5
"""A broken connection is seen before the process's end is; how long to wait for the second."""


class Server:
    """A server.

    Attributes:
        engine, model, precision: what answers; precision is `as served` where an attached server does not say.
        url: the API's base, ending in /v1.
        backend: program, version and device, one line for reports.
        client: the client that the methods below use.
        plan: what it was started with; None if it was attached to.
    """

    def __init__(
        self,
        *,
        engine: str,
        model: str,
        precision: str,
        url: str,
        backend: str,
        read_metrics: Callable[[], dict[str, float]],
        api_key: str = "",
        plan: LaunchPlan | None = None,
        process: EngineProcess | None = None,
        adapter: Adapter | None = None,
        hold: Hold | None = None,
        takes_turns: bool = False,
    ) -> None:
        self.engine = engine
        self.model = model
        self.precision = precision
        self.url = url
        self.backend = backend
        self.plan = plan
        self.api_key = api_key
        self.client = Client(url, model, api_key)
        self._read_metrics = read_metrics
        self._process = process
        self._hold = hold
        self._takes_turns = takes_turns
        self._symptoms = adapter.symptoms if adapter is not None else ()
        self._stopped = False

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else "running"
        return f"<{self.engine} serving {self.model} ({self.precision}) at {self.url}, {state}>"

    def chat(self, prompt: Messages, **options: Any) -> Reply:
        """Ask and wait; see `Client.chat`. Raises EngineFailed with the engine's last words if it ends meanwhile."""
        with self._watched():
            return self.client.chat(prompt, **options)

    def complete(self, prompt: str, **options: Any) -> Reply:
        """Continue a text without a chat template; else like `chat`."""
        with self._watched():
            return self.client.complete(prompt, **options)

    def stream(self, prompt: Messages, **options: Any) -> Iterator[str]:
        """Ask, and iterate the words as they arrive; else like `chat`."""
        stream = self.client.stream(prompt, **options)

        def pieces() -> Iterator[str]:
            with self._watched():
                yield from stream

        return pieces()

    async def achat(self, prompt: Messages, **options: Any) -> Reply:
        """`chat` for asynchronous code."""
        with self._watched(await self._turn()):
            return await self.client.achat(prompt, **options)

    async def astream(self, prompt: Messages, **options: Any) -> AsyncIterator[str]:
        """`stream` for asynchronous code."""
        with self._watched(await self._turn()):
            async for words in self.client.astream(prompt, **options):
                yield words

    def metrics(self) -> dict[str, float]:
        """The engine's own counters under the common names of `helpers.engines.metrics`; empty if it has none."""
        with self._watched():
            return self._read_metrics()

    @property
    def pid(self) -> int | None:
        """The engine's process id; None for one that was attached to."""
        return self._process.pid if self._process is not None else None

    @property
    def log_path(self) -> Path | None:
        """Where a launched engine's log is; None for one that was attached to."""
        return self._process.log if self._process is not None else None

    def log(self) -> str:
        """The end of a launched engine's log; empty for one that was attached to."""
        return self._process.log_text() if self._process is not None else ""

    def require_running(self) -> None:
        """Raises UsageError after `stop()`, EngineFailed with its last words if the engine has ended by itself."""
        if self._stopped:
            raise UsageError("this server was stopped", "", "helpers.launch(...) starts a new one")
        self._raise_if_ended(0.0)

    def stop(self) -> None:
        """End a launched engine, within two seconds; leave an attached one alone. May be repeated."""
        self._stopped = True
        if self._process is not None:
            self._process.stop()
        if self._hold is not None:
            self._hold.release()

    def leave(self) -> None:
        """Let a launched engine outlive this process; `launch` finds it again, this object is at its end."""
        assert self._process is not None
        assert self._hold is not None
        self._hold.tell(persistent=True)
        self._process.leave()
        self._process, self._hold, self._stopped = None, None, True

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_turn(self) -> Hold | None:
        return lease.take("attach", what=self.url) if self._takes_turns else None

    async def _turn(self) -> Hold | None:
        return await asyncio.to_thread(self._take_turn) if self._takes_turns else None

    @contextlib.contextmanager
    def _watched(self, turn: Hold | None = None) -> Iterator[None]:
        """A request: nobody else measures meanwhile, and an engine that ends is noticed."""
        self.require_running()
        with turn or self._take_turn() or contextlib.nullcontext(), self._ending_noticed():
            yield

    @contextlib.contextmanager
    def _ending_noticed(self) -> Iterator[None]:
        try:
            yield
        except EngineFailed as error:
            # A status of its own means that the server lives and says no.
            if not isinstance(error, RequestFailed) or error.record.status in (None, 200):
                self._raise_if_ended(DEATH_NOTICE_S, error)
            raise

    def _raise_if_ended(self, wait_s: float, reason: EngineFailed | None = None) -> None:
        if self._process is None or self._stopped:
            return
        code = self._process.wait(wait_s)
        if code is not None:
            log = self._process.log_text()
            raise explain(self.engine, log, code, self._symptoms, str(self._process.log)) from reason
