"""The doctor tells the truth on machines this one is not."""

import json

import pytest

from helpers import cli, hardware
from helpers.commands import doctor
from helpers.errors import UsageError
from helpers.hardware import Gpu, Hardware


def machine(*gpus: Gpu, available_bytes: int = 16 * 10**9) -> Hardware:
    return Hardware("a processor", "aarch64", "Linux 6.11", 20, 128 * 10**9, available_bytes, list(gpus))


def pretend(monkeypatch: pytest.MonkeyPatch, found: Hardware) -> None:
    monkeypatch.setattr(doctor, "read_hardware", lambda: found)
    monkeypatch.setattr(hardware, "read_hardware", lambda: found)


def test_a_laptop_runs_the_embedded_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, machine())
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["profile"], found["default_engine"]) == ("laptop", "llama.cpp")
    (embedded,) = [state for state in found["engines"] if state["engine"] == "llama.cpp"]
    assert (embedded["state"], embedded["needs"], embedded["next_command"]) == ("ready", "", "")
    assert {state["engine"] for state in found["engines"]} >= {"vllm", "sglang", "tensorrt-llm", "ollama"}


def test_a_spark_whose_memory_reads_na_never_falls_back_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, machine(Gpu("NVIDIA GB10", memory_bytes=None)))
    code = cli.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert any("profile   spark" in line for line in lines)
    assert any(line.startswith("Next: ") for line in lines[:2])
    if code == 3:
        assert lines[0].startswith("Problem: vllm, the default engine of profile spark, needs ")


def test_too_little_memory_is_a_problem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch, machine(available_bytes=10**8))
    assert cli.main(["doctor"]) == 3
    assert capsys.readouterr().out.startswith("Problem: only 0.1 GB of memory available")


def test_profile_can_be_asked_for_but_not_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "two-sparks")
    assert hardware.choose_profile(machine()) == "two-sparks"
    monkeypatch.setenv("COURSE_PROFILE", "tablet")
    with pytest.raises(UsageError, match="tablet"):
        hardware.choose_profile(machine())


def test_this_machine_is_read() -> None:
    found = hardware.read_hardware()
    assert found.cores >= 1
    assert 0 < found.available_bytes <= found.memory_bytes
    assert Hardware(**found.to_json()).processor == found.processor
