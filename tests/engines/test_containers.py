"""Docker is usable, not installed, not running, or not allowed: four different answers."""

from pathlib import Path

import pytest

from helpers.engines.containers import docker_problem


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_docker_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "echo 28.2.2")
    assert docker_problem() == ""


def test_no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert docker_problem() == "Docker"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "a running Docker daemon"),
        ("permission denied while trying to connect to the docker API", "usermod -aG docker"),
    ],
)
def test_docker_that_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, expected: str) -> None:
    pretend(tmp_path, monkeypatch, f"echo '{words}' >&2; exit 1")
    assert expected in docker_problem()
