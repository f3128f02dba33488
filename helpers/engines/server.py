"""A server that answers at a URL: launched here, or attached to.

    with helpers.launch("llama.cpp") as server:
        print(server.chat("What is a KV cache?"))

A launched one ends with its `with` block, with `stop()`, when nobody holds the object any more, and in any case with
this Python process.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers.client.openai import Client, Messages
from helpers.client.reply import Reply, RequestFailed
from helpers.config import read_settings
from helpers.engines import probe
from helpers.engines.adapter import Adapter
from helpers.engines.failures import explain, last_words
from helpers.engines.lease import Hold
from helpers.engines.memory import host_memory
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HeldPort
from helpers.engines.process import EngineProcess, new_log
from helpers.engines.reservation import reserve, stop_command
from helpers.errors import EngineFailed, MissingError, UsageError

Progress = Callable[[str, float], None]
"""Called while an engine starts: what it does now, and seconds since the start."""

FIRST_POLL_S, LONGEST_POLL_S = 0.01, 0.25
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
        with self._watched():
            return await self.client.achat(prompt, **options)

    async def astream(self, prompt: Messages, **options: Any) -> AsyncIterator[str]:
        """`stream` for asynchronous code."""
        with self._watched():
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

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        self.require_running()
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


def start(
    adapter: Adapter,
    config: ServeConfig,
    *,
    timeout_s: float | None = None,
    progress: Progress | None = None,
    beside: bool = False,
) -> Server:
    """Start an engine and wait until it answers.

    Args:
        adapter: the engine's.
        config: completed by `helpers.engines.adapter.complete`; port 0 takes a free one.
        timeout_s: None for the engine's own limit.
        progress: told what happens while it starts.
        beside: start it although another engine has the machine's GPU.

    Raises:
        UsageError: the port is taken.
        MissingError: it does not fit into memory.
        EngineUnavailable: its program cannot be started.
        EngineFailed: it ended, did not answer in time, or does not serve what was asked for.
    """
    limit_s = adapter.start_limit_s if timeout_s is None else timeout_s
    asked_s = time.monotonic()
    told = None if progress is None else lambda words: progress(words, time.monotonic() - asked_s)
    hold = reserve(config, beside=beside, told=told)
    try:
        with HeldPort(config.port) as port:
            plan = adapter.plan(config.at_port(port.number))
            for path, text in plan.files.items():
                _write(Path(path), text)
            port.hand_over()
            process = EngineProcess(
                plan.argv,
                plan.env,
                new_log(read_settings().cache / "logs", adapter.name),
                stop=stop_command(plan),
                floor_bytes=host_memory().watchdog_bytes,
                hold=hold.descriptor,
            )
            hold.hand_over()
            try:
                _wait_until_ready(adapter, plan, process, limit_s, progress)
            except BaseException:
                process.stop()
                raise
    except BaseException:
        hold.release()
        raise
    hold.tell(
        state="running",
        precision=config.precision,
        url=plan.urls["api"],
        backend=adapter.backend(config),
        supervisor=process.supervisor_pid,
        log=str(process.log),
        options={name: str(value) for name, value in config.changed().items()},
    )
    return Server(
        engine=adapter.name,
        model=config.model,
        precision=config.precision,
        url=plan.urls["api"],
        backend=adapter.backend(config),
        read_metrics=lambda: adapter.read_metrics(plan.urls),
        plan=plan,
        process=process,
        adapter=adapter,
        hold=hold,
    )


def _wait_until_ready(
    adapter: Adapter, plan: LaunchPlan, process: EngineProcess, limit_s: float, progress: Progress | None
) -> None:
    started_s = time.monotonic()
    elapsed_s = 0.0
    poll_s = FIRST_POLL_S
    while True:
        code = process.wait(poll_s)
        if code is not None:
            raise explain(adapter.name, process.log_text(), code, adapter.symptoms, str(process.log))
        health = probe.get(plan.urls["health"], timeout_s=min(probe.PROBE_LIMIT_S, max(0.1, limit_s - elapsed_s)))
        elapsed_s = time.monotonic() - started_s
        if health.status == 200:
            break
        if elapsed_s > limit_s:
            raise EngineFailed(
                f"{adapter.name} did not answer within {limit_s:g} s",
                f"its last words: {last_words(process.log_text()) or 'none'}",
                f"launch(..., timeout_s={limit_s * 3:g}), or tail {process.log}",
            )
        if progress is not None:
            progress("starting" if health.status is None else "loading the model", elapsed_s)
        poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
    log = process.log_text()
    for refusal in adapter.refusals:
        error = refusal.match(log)
        if error is not None:
            raise error
    if progress is not None:
        progress("ready", elapsed_s)


def _write(path: Path, text: str) -> None:
    """Write a plan's file so that a reader never sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as part:
            part.write(text)
        os.replace(part.name, path)
    except OSError as error:
        raise MissingError(f"{path} cannot be written", error.strerror or str(error)) from error
