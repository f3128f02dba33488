"""From a name to a configuration that is started; what starts is tested elsewhere."""

from pathlib import Path
from typing import Any

import pytest

import helpers
from helpers.engines import launch as module
from helpers.engines.adapter import Adapter
from helpers.engines.plan import ServeConfig


@pytest.fixture
def started(spark: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ServeConfig]:
    """What would be started on a Spark with Docker."""
    (tmp_path / "docker").write_text("#!/bin/sh\necho 28.2.2\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found: list[ServeConfig] = []

    def start(adapter: Adapter, config: ServeConfig, **options: Any) -> None:
        found.append(config)

    monkeypatch.setattr(module, "start", start)
    return found


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm"])
def test_an_engine_beside_another_takes_half_of_the_memory(started: list[ServeConfig], engine: str) -> None:
    helpers.launch(engine, "qwen3-8b")
    helpers.launch(engine, "qwen3-8b", beside=True)
    helpers.launch(engine, "qwen3-8b", beside=True, extra={"gpu_memory_fraction": 0.5})
    fractions = [config.extra.get("gpu_memory_fraction") for config in started]
    assert fractions == [None, module.BESIDE_FRACTION, 0.5]


@pytest.mark.parametrize("engine", ["ollama", "llama.cpp"])
def test_engines_that_take_what_they_need_are_left_alone(started: list[ServeConfig], engine: str) -> None:
    helpers.launch(engine, "qwen3-8b", beside=True)
    assert "gpu_memory_fraction" not in started[0].extra


def test_auto_is_a_gpu_engine_on_a_spark(started: list[ServeConfig]) -> None:
    helpers.launch()
    assert (started[0].engine, started[0].container, started[0].precision) == ("vllm", True, "bf16")
