"""A container is no child of anybody: it ends with the engine, with its owner, and with its client's crash."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.engines import lease, starting
from helpers.engines.plan import LaunchPlan, ServeConfig
from tests.engines.conftest import FAKE_ENGINE, FakeAdapter, is_gone, until

DOCKER = f"""#!/bin/sh
# run --name NAME PORT: a "container" in a session of its own; rm --force NAME ends it
state=$(dirname "$0")
case "$1" in
  run) setsid {sys.executable} -I -S {FAKE_ENGINE} "$4" deaf=1 & echo $! > "$state/$3"; wait $!;;
  rm) kill -9 "$(cat "$state/$3")" && rm "$state/$3";;
esac
"""
OWNER = """
import sys, time
from helpers.engines import starting
from helpers.engines.plan import ServeConfig
from tests.engines.test_container_life import DockerAdapter
server = starting.start(DockerAdapter(), ServeConfig())
print(server.plan.port, flush=True)
time.sleep(600)
"""


class DockerAdapter(FakeAdapter):
    """The fake engine in a container."""

    def plan(self, config: ServeConfig) -> LaunchPlan:
        argv = ("docker", "run", "--name", f"course-fake-{config.port}", str(config.port))
        return replace(super().plan(config), argv=argv)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))
    return tmp_path


def container(folder: Path, port: int) -> int:
    return int((folder / f"course-fake-{port}").read_text())


def test_it_ends_with_stop(docker: Path) -> None:
    server = starting.start(DockerAdapter(), ServeConfig())
    assert server.plan is not None
    inside = container(docker, server.plan.port)
    server.stop()
    assert is_gone(inside)
    assert lease.tickets() == []


def test_it_ends_with_the_crash_of_its_client(docker: Path) -> None:
    server = starting.start(DockerAdapter(), ServeConfig())
    assert server.plan is not None
    assert server.pid is not None
    inside = container(docker, server.plan.port)
    os.kill(server.pid, signal.SIGKILL)
    assert until(lambda: is_gone(inside) and not lease.tickets())
    server.stop()


def test_it_ends_when_its_owner_is_killed(docker: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    inside = container(docker, int(owner.stdout.readline()))
    owner.kill()
    owner.wait(10)
    owner.stdout.close()
    assert until(lambda: is_gone(inside) and not lease.tickets())
