"""Engines that were started to stay: `./course engines start` leaves them running, and `launch` finds them.

Nothing is remembered in a file of its own: an engine's ticket on the machine's board (`lease`) carries its address, and
is valid exactly as long as its supervisor runs.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from helpers.engines import lease
from helpers.engines.attach import attach
from helpers.engines.lease import Ticket
from helpers.engines.plan import ServeConfig
from helpers.engines.server import Server
from helpers.errors import MissingError

STOP_LIMIT_S = 25.0
"""A container may take this long; a native engine is gone within two seconds."""

NOT_COMPARED = ("engine", "model", "port")


def running() -> list[Ticket]:
    """All engines that run on this machine, whoever started them and however, in the order of their start."""
    return [ticket for ticket in lease.tickets() if ticket.facts.get("state") == "running"]


def find(engine: str, config: ServeConfig) -> Ticket | None:
    """The newest persistent engine that serves this model with every option that was asked for."""
    asked = {name: str(value) for name, value in config.changed().items() if name not in NOT_COMPARED}
    for ticket in reversed(running()):
        facts: dict[str, Any] = ticket.facts
        served = {**{name: str(value) for name, value in _defaults().items()}, **facts["options"]}
        if (
            facts.get("persistent")
            and (facts["engine"], facts["model"]) == (engine, config.model)
            and all(served.get(name) == value for name, value in asked.items())
        ):
            return ticket
    return None


def use(ticket: Ticket) -> Server:
    """Attach to a running engine; it keeps running."""
    facts = ticket.facts
    server = attach(facts["url"], model=facts["model"], engine=facts["engine"], precision=facts["precision"])
    server.backend = facts["backend"]
    return server


def stop(engine: str) -> list[Ticket]:
    """End the persistent engines of that name; they are gone when this returns.

    Raises:
        MissingError: there is none, it is somebody else's, or it does not end.
    """
    found = _persistent(engine)
    for ticket in found:
        try:
            # One that was killed meanwhile: its reaper is at work.
            with contextlib.suppress(ProcessLookupError):
                os.kill(ticket.facts["supervisor"], signal.SIGTERM)
        except PermissionError as error:
            raise MissingError(
                f"{engine} was started by {ticket.user}", "only they, or root, can end it", f"ask {ticket.user}"
            ) from error
    numbers = {ticket.number for ticket in found}
    deadline_s = time.monotonic() + STOP_LIMIT_S
    while left := [ticket for ticket in lease.tickets() if ticket.number in numbers]:
        if time.monotonic() > deadline_s:
            raise MissingError(f"{left[0]} did not end within {STOP_LIMIT_S:g} s", "", f"tail {left[0].facts['log']}")
        time.sleep(0.05)
    return found


def log_of(engine: str) -> Path:
    """The log of the newest persistent engine of that name.

    Raises:
        MissingError: there is none.
    """
    return Path(_persistent(engine)[-1].facts["log"])


def _persistent(engine: str) -> list[Ticket]:
    found = [ticket for ticket in running() if ticket.facts.get("persistent") and ticket.facts["engine"] == engine]
    if not found:
        raise MissingError(f"no {engine} was started to stay", "", f"./course engines start {engine}")
    return found


def _defaults() -> dict[str, Any]:
    default = ServeConfig()
    return {name: getattr(default, name) for name in default.__dataclass_fields__}
