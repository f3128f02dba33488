"""Which engines can run here, what the others need, and where each has really run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.config import ROOT
from helpers.engines import persistent, registry
from helpers.errors import EngineUnavailable

NEVER = "never run"
RECORDED = ROOT / "recorded"
"""Bundles of real runs that come with the course."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine of the course on this machine.

    Attributes:
        state: `ready`, `running` or `missing`.
        needs: what is missing; next_command: the step that brings it. Empty when it is ready.
        has_run: version, hardware and date of the runs that come with the course, or `never run`.
    """

    engine: str
    state: str
    needs: str = ""
    next_command: str = ""
    has_run: str = NEVER

    def to_json(self) -> dict[str, str]:
        """A JSON-ready dictionary."""
        return asdict(self)


def survey_engines() -> list[EngineState]:
    """The state of every engine of the course; starts nothing."""
    states = []
    runs = recorded_runs()
    running = {ticket.facts["engine"] for ticket in persistent.running()}
    for engine in registry.names():
        has_run = runs.get(engine, NEVER)
        try:
            registry.find(engine)
        except EngineUnavailable as error:
            needs = error.cause.removeprefix("it needs ")
            states.append(EngineState(engine, "missing", needs, error.next_command, has_run))
        else:
            states.append(EngineState(engine, "running" if engine in running else "ready", has_run=has_run))
    return states


def recorded_runs(folder: Path | None = None) -> dict[str, str]:
    """Engine -> where it has really run: on each kind of hardware the newest recorded bundle.

    Args:
        folder: of bundles; None for those that come with the course.
    """
    found: dict[tuple[str, str], str] = {}
    bundles = (folder or RECORDED).glob("*/provenance.json")
    for path in sorted(bundles, key=lambda path: path.parent.name):
        provenance = json.loads(path.read_text(encoding="utf-8"))
        summary = json.loads((path.parent / "summary.json").read_text(encoding="utf-8"))
        hardware = provenance["hardware"]
        gpus = ", ".join(gpu["name"] for gpu in hardware["gpus"])
        where = gpus or f"{hardware['processor']}, {hardware['cores']} cores"
        for point in summary["points"]:
            target = point["target"]
            found[target["engine"], where] = f"{target['backend']} on {where}, {provenance['date'][:10]}"
    runs: dict[str, str] = {}
    for (engine, _), run in found.items():
        runs[engine] = f"{runs[engine]}; {run}" if engine in runs else run
    return runs
