"""The build script, run with stand-ins for TensorRT-LLM's programs: what it refuses, what it does not do twice."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.engines.planning import plan

PYTHON = """#!/bin/sh
case "$*" in
  *__version__*) echo "[a line of its own]"; echo "${FAKE_VERSION:-1.2.1}" ;;
  *) echo convert >> "$FAKE_LOG" ;;
esac
"""
BUILD = """#!/bin/sh
echo build >> "$FAKE_LOG"
[ -z "${FAKE_FAILURE:-}" ] || exit 9
"""
SERVE = """#!/bin/sh
echo "serve $1" >> "$FAKE_LOG"
"""


@pytest.fixture
def run(tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("python3", PYTHON), ("trtllm-build", BUILD), ("trtllm-serve", SERVE)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    log = tmp_path / "log"

    def run_script(
        model: str = tiny_model, release: str = "pip-1.2.1", **environment: str
    ) -> tuple[int, str, list[str]]:
        made = plan("tensorrt-llm", model, container=False, precision="bf16", extra={"release": release})
        (script,) = made.files.values()
        log.write_text("")
        variables = {"PATH": f"{programs}:{os.environ['PATH']}", "TRTLLM_WORK": str(tmp_path / "work")}
        done = subprocess.run(
            ["sh", "-c", script],
            env={**variables, "FAKE_LOG": str(log), "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr, log.read_text().split("\n")[:-1]

    return run_script


def test_it_converts_builds_and_serves_and_the_second_time_only_serves(run) -> None:
    code, said, did = run()
    assert code == 0, said
    assert did[:2] == ["convert", "build"]
    engine = did[2].removeprefix("serve ")
    assert "/work/1.2.1-bf16-batch8-length256-" in engine
    assert "expected: at least" in said
    assert run() == (0, "build: the engine is there, and only loaded\n", [f"serve {engine}"])


def test_a_stopped_build_goes_on_with_the_step_it_was_at(run) -> None:
    code, _, did = run(FAKE_FAILURE="yes")
    assert (code, did) == (9, ["convert", "build"])
    code, said, did = run()
    assert (code, did[0]) == (0, "build")
    assert "on this machine took, in seconds: convert 0 1.2.1-bf16" in said


def test_another_version_is_refused_before_anything_is_done(run) -> None:
    code, said, did = run(FAKE_VERSION="1.3.0rc29")
    assert (code, did) == (3, [])
    assert "this is TensorRT-LLM 1.3.0rc29; engines are built here with 1.2" in said


def test_too_little_memory_is_refused_before_anything_is_done(run) -> None:
    code, said, did = run(model="llama-3.1-70b")
    assert (code, did) == (3, [])
    assert "212 GB of memory are needed" in said


def test_the_needs_stand_in_the_plan() -> None:
    notes = " ".join(plan("tensorrt-llm", "qwen3-8b", container=True, extra={"release": "1.2.1"}).notes)
    assert "25 GB of memory and 33 GB of disk (our sums, not measured)" in notes
    assert "kept under its version, model and options" in notes


def test_other_weights_of_a_path_are_another_engine(run, tiny_model: str) -> None:
    first = run()[2][-1]
    weights = Path(tiny_model) / "model.safetensors"
    os.utime(weights, (1, 1))
    assert run()[2][:2] == ["convert", "build"]
    assert run()[2][-1] != first
