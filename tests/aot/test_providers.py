import builtins
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from helpers.aot import providers
from helpers.aot.profile import ShapeProfile
from helpers.errors import EngineUnavailable, UsageError
from helpers.models.checkpoint import read_config


def test_a_cpu_needs_no_options(checkpoint: Path, tmp_path: Path) -> None:
    profile = ShapeProfile("range", 4, 48, 256)
    built = providers.building_providers("cpu", "f32", profile, read_config(checkpoint), tmp_path, "engine.onnx")
    assert built == providers.loading_providers("cpu", tmp_path) == ["CPUExecutionProvider"]


@pytest.mark.parametrize(("kind", "smallest"), [("range", "ids:1x1,starts:1"), ("fixed", "ids:4x48,starts:4")])
def test_tensorrt_gets_the_profile_and_a_place_for_its_engine(
    kind: str, smallest: str, checkpoint: Path, tmp_path: Path
) -> None:
    profile = ShapeProfile(kind, 4, 48, 256)
    (name, options), fallback = providers.building_providers(
        "tensorrt", "f16", profile, read_config(checkpoint), tmp_path, "engine.onnx"
    )
    assert (name, fallback) == ("TensorrtExecutionProvider", "CPUExecutionProvider")
    assert options["trt_profile_min_shapes"].startswith(smallest)
    assert options["trt_profile_max_shapes"].endswith("past_0:4x256x2x2x16,past_1:4x256x2x2x16")
    assert options["trt_fp16_enable"] is True
    assert options["trt_ep_context_file_path"] == str(tmp_path / "engine.onnx")
    # An option that ONNX Runtime does not know would be told at once where it is; here only its form can be held.
    assert all(option.startswith("trt_") for option in options)


def test_tensorrt_without_a_gpu_or_its_build_is_missing_not_pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "find_gpus", list)
    with pytest.raises(EngineUnavailable, match="TensorRT") as caught:
        providers.require_provider("tensorrt", "f16")
    assert caught.value.cause == "it needs an NVIDIA GPU"
    monkeypatch.setattr(providers, "find_gpus", lambda: ["a GPU"])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(EngineUnavailable) as caught:
        providers.require_provider("tensorrt", "f16")
    assert "onnxruntime-gpu" in caught.value.next_command


@pytest.mark.parametrize(("provider", "precision"), [("cuda", "f32"), ("cpu", "f16"), ("tensorrt", "int8")])
def test_what_is_not_built_is_refused(provider: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_import(name: str, *arguments: Any, **options: Any) -> Any:
        assert name != "onnxruntime", "asked before it is needed"
        return real(name, *arguments, **options)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", no_import)
    with pytest.raises(UsageError, match="provider"):
        providers.require_provider(provider, precision)
