"""A tiny model, an engine that is none, and how to see that a process is gone."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from helpers.engines.failures import Symptom
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.hardware import Gpu
from helpers.models import catalogue
from tests.models.conftest import make_checkpoint

FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")


def fake_argv(port: int, **options: object) -> list[str]:
    return [sys.executable, "-I", "-S", str(FAKE_ENGINE), str(port), *(f"{k}={v}" for k, v in options.items())]


@dataclass
class FakeAdapter:
    """An adapter whose engine is fake_engine.py."""

    options_of_engine: dict[str, object] = field(default_factory=dict)
    name: str = "fake"
    default_port: int = 9999
    precisions: tuple[str, ...] = ("f32",)
    speculations: tuple[str, ...] = ("none",)
    options: frozenset[str] = frozenset({"extra"})
    extra: tuple[str, ...] = ("colour",)
    metric_names: dict[str, str] = field(default_factory=dict)
    symptoms: tuple[Symptom, ...] = (Symptom("no such flavour: (.*)", "no flavour {0}", "a joke", "choose another"),)
    refusals: tuple[Symptom, ...] = (Symptom("going on without (.*)", "it works without {0}"),)
    start_limit_s: float = 20.0

    def needs(self) -> None:
        return None

    def complete(self, config: ServeConfig) -> ServeConfig:
        return config

    def plan(self, config: ServeConfig) -> LaunchPlan:
        root = f"http://127.0.0.1:{config.port}"
        return LaunchPlan(
            engine=self.name,
            argv=tuple(fake_argv(config.port, **self.options_of_engine)),
            port=config.port,
            urls={"api": root + "/v1", "health": root + "/health", "metrics": root + "/metrics"},
        )

    def backend(self, config: ServeConfig) -> str:
        return "fake"

    def read_metrics(self, urls: dict[str, str]) -> dict[str, float]:
        return {}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random checkpoint of 256 positions."""
    return str(make_checkpoint(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: str) -> Path:
    return catalogue.gguf(tiny_model, "f32")


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GB10 whose memory reads N/A."""
    monkeypatch.setattr("helpers.hardware.find_gpus", lambda: [Gpu("NVIDIA GB10", None, "12.1", "580.95.05")])


def until(condition: Callable[[], object], limit_s: float = 10.0) -> bool:
    """Wait for a condition; False if it does not come true."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.005)
    return True


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
