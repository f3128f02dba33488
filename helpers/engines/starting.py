"""From a plan to a server that answers: its turn, its memory, its port, its process, its first answer."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from helpers.config import read_settings
from helpers.engines import orphans, probe
from helpers.engines.adapter import Adapter
from helpers.engines.failures import explain, last_words
from helpers.engines.memory import host_memory
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HeldPort
from helpers.engines.process import EngineProcess, new_log
from helpers.engines.reservation import reserve, stop_command
from helpers.engines.server import Server
from helpers.errors import EngineFailed, MissingError

Progress = Callable[[str, float], None]
"""Called while an engine starts: what it does now, and seconds since the start."""

FIRST_POLL_S, LONGEST_POLL_S = 0.01, 0.25


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
        EngineUnavailable: its program cannot be started, or it does not fit into memory.
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
                orphans.label(plan.argv, hold.path),
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
