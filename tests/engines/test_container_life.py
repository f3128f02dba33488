"""A container is no child of anybody: it ends with the engine, its owner, its client's crash, its supervisor's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from helpers.commands import doctor, engines
from helpers.config import ROOT
from helpers.engines import lease, orphans, starting
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.server import Server
from tests.engines.conftest import FakeAdapter, is_gone, until

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
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    program = Path(__file__).with_name("fake_docker.py")
    (tmp_path / "docker").write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {program} "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_DOCKER", str(tmp_path))
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))
    yield tmp_path
    for name in containers(tmp_path):  # of a test that failed
        os.kill(container(tmp_path, name), signal.SIGKILL)


def containers(folder: Path) -> list[str]:
    return [file.stem for file in folder.glob("*.container")]


def container(folder: Path, name: str) -> int:
    return int(json.loads((folder / f"{name}.container").read_text())["pid"])


def start(folder: Path) -> tuple[Server, int]:
    server = starting.start(DockerAdapter(), ServeConfig())
    assert server.plan is not None
    return server, container(folder, f"course-fake-{server.plan.port}")


def supervisor_of(server: Server) -> psutil.Process:
    found = psutil.Process(server.pid).parent()
    assert found is not None
    return found


def start_an_orphan(folder: Path) -> int:
    """A container whose supervisor and reaper were killed at once."""
    server, inside = start(folder)
    supervisor = supervisor_of(server)
    (reaper,) = [child for child in supervisor.children() if child.pid != server.pid]
    supervisor.suspend()
    reaper.kill()
    supervisor.kill()
    server.stop()
    assert not is_gone(inside)
    return inside


def test_it_ends_with_stop(docker: Path) -> None:
    server, inside = start(docker)
    server.stop()
    assert is_gone(inside)
    assert lease.tickets() == []


def test_it_ends_with_the_crash_of_its_client(docker: Path) -> None:
    server, inside = start(docker)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert until(lambda: is_gone(inside) and not lease.tickets())
    server.stop()


def test_it_ends_when_its_owner_is_killed(docker: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    inside = container(docker, f"course-fake-{int(owner.stdout.readline())}")
    owner.kill()
    owner.wait(10)
    owner.stdout.close()
    assert until(lambda: is_gone(inside) and not lease.tickets())


def test_it_ends_when_its_supervisor_is_killed_and_keeps_its_ticket_until_then(docker: Path) -> None:
    server, inside = start(docker)
    (docker / "slow").touch()
    supervisor = supervisor_of(server)
    supervisor.kill()
    assert until(lambda: is_gone(supervisor.pid))
    assert [ticket.facts["engine"] for ticket in lease.tickets()] == ["auto"]
    assert not is_gone(inside)
    (docker / "slow").unlink()
    server.stop()
    assert is_gone(inside)
    assert containers(docker) == []
    assert lease.tickets() == []


def test_one_that_stays_ends_with_its_supervisor(docker: Path) -> None:
    server, inside = start(docker)
    supervisor = supervisor_of(server)
    server.leave()
    supervisor.kill()
    assert until(lambda: is_gone(inside) and not lease.tickets())


def test_an_orphan_is_removed_by_the_next_start_of_a_container(docker: Path) -> None:
    inside = start_an_orphan(docker)
    told: list[str] = []
    config = ServeConfig(container=True)
    server = starting.start(DockerAdapter(), config, progress=lambda words, elapsed_s: told.append(words))
    assert is_gone(inside)
    assert "whose owner was killed" in told[0]
    assert len(containers(docker)) == 1
    server.stop()


@pytest.mark.parametrize("command", [engines, doctor])
def test_an_orphan_is_removed_and_named_by_the_commands_that_look(
    docker: Path, capsys: pytest.CaptureFixture[str], command: object
) -> None:
    import argparse

    inside = start_an_orphan(docker)
    (name,) = containers(docker)
    command.run(argparse.Namespace(action=None, json=True, nodes=""))  # type: ignore[attr-defined]
    assert is_gone(inside)
    assert json.loads(capsys.readouterr().out)["removed_containers"] == [name]


def test_a_container_with_an_owner_or_without_a_label_is_left_alone(docker: Path) -> None:
    server, inside = start(docker)
    by_hand = subprocess.Popen(["docker", "run", "--name", "course-vllm-8000", "0"])
    assert until(lambda: len(containers(docker)) == 2)
    assert orphans.remove() == []
    assert not is_gone(inside)
    subprocess.run(["docker", "rm", "--force", "course-vllm-8000"], check=True, stdout=subprocess.DEVNULL)
    by_hand.wait(10)
    server.stop()


def test_without_docker_there_is_nothing_to_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert orphans.remove() == []
