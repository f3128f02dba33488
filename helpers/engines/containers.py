"""`docker run` for an engine: GPUs, shared and locked memory, caches, and a port that only this machine can reach.

Sources of the options: NVIDIA's DGX Spark playbooks (July 2026). A secret is passed by name, never with its value.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.config import read_settings
from helpers.engines.catalog import Release
from helpers.engines.ports import HOST

SECRETS = ("HF_TOKEN",)
"""Environment variables that a container gets from whoever starts it."""

DOCKER_LIMIT_S = 10.0
HUB_INSIDE = "/root/.cache/huggingface"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one container is started with.

    Attributes:
        name: of the container, so that it can be found and stopped.
        command: program and arguments inside.
        port: published on 127.0.0.1, the same inside; 0 with `host_network`, which needs no publishing.
        environment: variables with values.
        volumes: named volume or host path -> path inside.
        read_only: host paths that keep their name inside.
        host_network: share the host's network, for engines that span machines.
        options: further options of docker run.
    """

    name: str
    command: Sequence[str]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    read_only: Sequence[str] = ()
    host_network: bool = False
    options: Sequence[str] = ()

    def argv(self, release: Release) -> tuple[str, ...]:
        """The docker command that runs it in the foreground; it removes itself when it ends."""
        words = ["docker", "run", "--rm", "--init", "--name", self.name, "--gpus", "all", "--ipc=host"]
        words += ["--ulimit", "memlock=-1", "--ulimit", "stack=67108864"]
        if self.host_network:
            words += ["--network", "host", "--device", "/dev/infiniband"]
        else:
            words += ["-p", f"{HOST}:{self.port}:{self.port}"]
        for secret in SECRETS:
            words += ["-e", secret]
        for name, value in {**release.environment, **self.environment}.items():
            words += ["-e", f"{name}={value}"]
        for outside, inside in {str(read_settings().hub): HUB_INSIDE, **self.volumes}.items():
            words += ["-v", f"{outside}:{inside}"]
        for path in self.read_only:
            words += ["-v", f"{path}:{path}:ro"]
        command = list(self.command)
        if release.entrypoint:
            # The image has an entry point of its own: name the program, so that it does not matter.
            own = Path(release.entrypoint).name == command[0]
            words += ["--entrypoint", release.entrypoint if own else command[0]]
            command = command[1:]
        return (*words, *self.options, release.image, *command)


def docker_problem() -> str:
    """What is missing before containers can be started here; empty if nothing is."""
    if shutil.which("docker") is None:
        return "Docker"
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=DOCKER_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "a Docker daemon that answers"
    if asked.returncode == 0:
        return ""
    if "permission denied" in asked.stderr.lower():
        return "the right to use Docker (sudo usermod -aG docker $USER; newgrp docker)"
    return "a running Docker daemon (sudo systemctl start docker)"


def plan_folder(engine: str, port: int) -> Path:
    """Where the files of an engine's plan are written."""
    return read_settings().cache / "plans" / f"{engine}-{port}"
