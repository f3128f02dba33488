"""Whether something is left of an engine, and whether one can run at all: for tests on machines that have it."""

import socket
import subprocess

import pytest

from helpers import hardware
from helpers.engines import registry
from helpers.engines.plan import LaunchPlan


def require(engine: str) -> None:
    """Skip if the engine cannot run on a GPU here; in a named group that is a failure which says what it needs."""
    if not hardware.find_gpus():
        pytest.skip(f"{engine} on a GPU needs an NVIDIA GPU, and this machine has none")
    needs = registry.choose(engine).needs()
    if needs is not None:
        pytest.skip(f"{engine} needs {needs[0]}: {needs[1]}")


def container_of(plan: LaunchPlan) -> str:
    """The name of the plan's container; empty for a native program."""
    return plan.argv[plan.argv.index("--name") + 1] if plan.argv[0] == "docker" else ""


def containers() -> list[str]:
    argv = ["docker", "ps", "--all", "--format", "{{.Names}}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout.split()


def is_free(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) != 0
