"""A place on the machine for an engine that is to be started: its turn, and its memory."""

import os
from collections.abc import Callable, Sequence

from helpers.engines import lease, memory, orphans
from helpers.engines.lease import Hold, Ticket
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.errors import EngineUnavailable, UsageError

Told = Callable[[str], None]


def uses_gpu(config: ServeConfig) -> bool:
    """Whether a completed configuration is for a release that computes on the GPU."""
    release = str(config.extra.get("release", ""))
    return bool(release) and not release.startswith("cpu-")


def reserve(config: ServeConfig, *, beside: bool, told: Told | None) -> Hold:
    """Wait for this machine's turn, then see whether the engine fits.

    Args:
        config: completed.
        beside: start it although another engine has the GPU.
        told: whom one waits for, in words.

    Raises:
        UsageError: this process has an engine on the GPU already.
        EngineUnavailable: an engine that was started to stay has it, or it does not fit into memory.
        MissingError: the turn did not come.
    """
    shared = lease.is_shared()
    on_gpu = shared and uses_gpu(config)

    def waiting(others: Sequence[Ticket]) -> None:
        for other in others:
            _refuse_to_wait_for(other, config.engine)
        if told is not None:
            told(f"waiting for the machine: {'; '.join(map(str, others))}")

    kind = "engine" if on_gpu and not beside else "embedded"
    hold = lease.take(kind, waiting=waiting, engine=config.engine, model=config.model, state="waiting")
    try:
        if on_gpu or config.container:
            for name in orphans.remove():
                if told is not None:
                    told(f"removed the container {name}, whose owner was killed")
        others = [ticket for ticket in lease.tickets() if ticket.number != hold.ticket.number]
        host = memory.host_memory()
        need = memory.estimate(config, host, on_gpu=on_gpu)
        running = [ticket for ticket in others if ticket.kind in ("engine", "embedded")]
        memory.require_fit(config, need, host, memory.promised_bytes(others, host), running)
        hold.tell(state="starting", need_bytes=need.total_bytes, available_bytes=host.available_bytes)
    except BaseException:
        hold.release()
        raise
    return hold


def stop_command(plan: LaunchPlan) -> tuple[str, ...]:
    """What ends the plan's container: a `docker run` that dies leaves it running. Empty for a native program."""
    if plan.argv[:2] != ("docker", "run"):
        return ()
    return ("docker", "rm", "--force", plan.argv[plan.argv.index("--name") + 1])


def _refuse_to_wait_for(other: Ticket, engine: str) -> None:
    if other.pid == os.getpid():
        raise UsageError(
            f"{engine} cannot start: this process runs {other.facts.get('engine')} already",
            "one engine has the machine's GPU and memory at a time",
            "stop that one first, or launch(..., beside=True) if both fit",
        )
    if other.facts.get("persistent"):
        raise EngineUnavailable(
            f"{engine} cannot start beside {other.facts.get('engine')}",
            f"an engine that was started to stay has the machine ({other})",
            f"use it at {other.facts.get('url')}, or end it: ./course engines stop {other.facts.get('engine')}",
        )
