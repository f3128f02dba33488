"""What is compared: no gateway, the course's with all its features on, and LiteLLM's proxy; one worker each."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from peers import program

from helpers.api.database import Database
from helpers.api.process import GatewayProcess
from helpers.client.mock import MockServer
from helpers.engines.ports import HeldPort
from helpers.errors import EngineFailed

START_LIMIT_S = 240.0

SETTINGS = """
[upstreams.paced]
urls = ["{paced}"]
[upstreams.flood]
urls = ["{flood}"]
[limits]
max_in_flight = 512
requests_per_minute = 100_000_000
tokens_per_minute = 1_000_000_000
key_in_flight = 512
"""
"""Every limit is on, and none is met."""


@dataclass
class Side:
    """Where the load goes: a URL for each of the two mock servers behind it, and the process in between, if any."""

    name: str
    urls: dict[str, str]
    api_key: str = ""
    pid: int = 0

    def cpu_s(self) -> float:
        """CPU time of the gateway and its children so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def resident_bytes(self) -> int:
        """Memory of the gateway and its children now."""
        return sum(process.memory_info().rss for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        if not self.pid:
            return []
        process = psutil.Process(self.pid)
        return [process, *process.children(recursive=True)]


def direct(mocks: dict[str, MockServer]) -> Side:
    """No gateway."""
    return Side("direct", {name: mock.url for name, mock in mocks.items()})


@contextlib.contextmanager
def course(mocks: dict[str, MockServer]) -> Iterator[Side]:
    """`./course serve` with keys, limits, accounting in SQLite, metrics, logs and health checks."""
    with tempfile.TemporaryDirectory() as folder:
        database_url = f"sqlite:///{folder}/gateway.sqlite"
        database = Database(database_url)
        key = database.add_key("benchmark")
        database.close()
        settings = Path(folder) / "gateway.toml"
        settings.write_text(SETTINGS.format(**{name: mock.url for name, mock in mocks.items()}))
        with GatewayProcess("--keys", "--database", database_url, "--config", str(settings)) as gateway:
            yield Side("course", dict.fromkeys(mocks, gateway.url), key, gateway.pid)


@contextlib.contextmanager
def litellm(mocks: dict[str, MockServer]) -> Iterator[Side]:
    """LiteLLM's proxy with a master key, no database and its default callbacks: less work than the course's does."""
    key = "sk-benchmark"
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": mock.url, "api_key": "none"}}
        for name, mock in mocks.items()
    ]
    with tempfile.TemporaryDirectory() as folder, HeldPort() as port:
        settings = Path(folder) / "config.yaml"
        settings.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))  # JSON is YAML
        argv = [str(program("litellm", "litellm")), "--config", str(settings), "--host", "127.0.0.1"]
        argv += ["--port", str(port.number), "--num_workers", "1", "--telemetry", "False"]
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment, cwd=folder)
            try:
                root = f"http://127.0.0.1:{port.number}"
                wait_until_alive(process, f"{root}/health/liveliness", Path(folder) / "log")
                yield Side("litellm", dict.fromkeys(mocks, f"{root}/v1"), key, process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_until_alive(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until a URL answers.

    Raises:
        EngineFailed: the process ended, or took too long.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline_s = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    words = " ".join(log.read_text(errors="replace").split()[-60:])
    raise EngineFailed("LiteLLM did not start", words, "python benchmarks/peers.py litellm")
