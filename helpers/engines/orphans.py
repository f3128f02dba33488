"""Containers without an owner: found by the ticket that they were started with, and removed.

A container is no child of whoever starts it. The supervisor ends it, and the supervisor's reaper if that is killed.
When both are killed, it stays. So each carries the path of its ticket (`lease`) as a label, and belongs to nobody when
that is void. Containers that a person started from a printed plan have no label and are left alone.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers.engines import lease
from helpers.engines.containers import DOCKER_LIMIT_S, docker_problem

LABEL = "spark-inference.ticket"
REMOVE_LIMIT_S = 30.0


def label(argv: Sequence[str], ticket: Path) -> tuple[str, ...]:
    """A plan's command with the label, if it runs a container; else as it is."""
    if tuple(argv[:2]) != ("docker", "run"):
        return tuple(argv)
    return (*argv[:2], "--label", f"{LABEL}={ticket}", *argv[2:])


def remove() -> list[str]:
    """Remove the containers whose ticket is void; their names. Nothing where there is no Docker that answers."""
    if docker_problem():
        return []
    form = f'{{{{.Names}}}}\t{{{{.Label "{LABEL}"}}}}'
    listed = _docker("ps", "--all", "--filter", f"label={LABEL}", "--format", form)
    removed = []
    for line in listed.splitlines():
        name, _, ticket = line.partition("\t")
        if ticket and _is_void(Path(ticket)) and _docker("rm", "--force", name):
            removed.append(name)
    return removed


def _is_void(ticket: Path) -> bool:
    try:
        return not lease.is_held(ticket)
    except OSError:
        return False  # on a board that this user cannot read


def _docker(*arguments: str) -> str:
    """What docker prints; empty if it fails, since somebody else may have removed the same container meanwhile."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=DOCKER_LIMIT_S if arguments[0] == "ps" else REMOVE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""
