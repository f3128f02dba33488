import importlib.util
from pathlib import Path

import pytest

import helpers
from helpers.engines import registry
from helpers.errors import EngineUnavailable, UsageError
from tests.engines.planning import plan


def test_auto_is_llama_cpp_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    assert registry.find("auto").name == "llama.cpp"


def test_auto_never_falls_back_to_the_cpu_on_a_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    with pytest.raises(EngineUnavailable, match="vllm"):
        registry.find("auto")


def test_llama_cpp_on_a_spark_is_the_server_built_for_its_gpu(
    spark: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=r"(?s)needs llama-server, built for this machine.*cmake"):
        registry.find("llama.cpp")
    (tmp_path / "llama-server").write_text("#!/bin/sh\n")
    (tmp_path / "llama-server").chmod(0o755)
    found = plan("llama.cpp", "course")
    assert found.argv[0] == "llama-server"
    assert found.argv[found.argv.index("--ctx-size") + 1] == str(8 * 4096)  # the length that it was trained for
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    assert "helpers.engines.llama_cpp_process" in plan("llama.cpp", "course").argv


def test_llama_cpp_takes_its_image_where_only_docker_is(
    spark: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho 28.2.2\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert registry.find("llama.cpp").name == "llama.cpp"
    found = plan("llama.cpp", "course")
    assert found.argv[:2] == ("docker", "run")
    assert any("sm_121" in note for note in found.notes)


def test_without_arguments_the_course_model_is_served_by_this_machines_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    with helpers.launch() as server:
        assert (server.engine, server.model, server.precision) == ("llama.cpp", "course", "f16")
        assert server.chat("What is a KV cache?", max_tokens=8).usage.output_tokens


def test_a_mistyped_name_is_corrected() -> None:
    with pytest.raises(UsageError, match="did you mean sglang"):
        helpers.launch("sg-lang")


def test_a_missing_wheel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xllamacpp" else real(name))
    with pytest.raises(EngineUnavailable, match="needs the Python package xllamacpp"):
        registry.find("llama.cpp")


def test_every_adapter_has_its_name_and_common_metric_names() -> None:
    common = {
        "requests_running",
        "requests_waiting",
        "kv_cache_usage",
        "prompt_tokens_total",
        "output_tokens_total",
        "cached_tokens_total",
        "prefill_seconds_total",
        "decode_seconds_total",
        "decode_steps_total",
        "drafts_total",
        "draft_tokens_total",
        "accepted_tokens_total",
        "acceptance_length",
        "preemptions_total",
    }
    for name in registry.MODULES:
        assert registry.choose(name).name == name
    assert set(registry.metric_names().values()) <= common
