"""What compiles a graph: ONNX Runtime's own CPU kernels, or TensorRT on an NVIDIA GPU, each with its options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.aot.profile import ShapeProfile
from helpers.errors import EngineUnavailable, UsageError
from helpers.hardware import find_gpus
from helpers.models.checkpoint import LlamaConfig

PROVIDERS: Mapping[str, tuple[str, ...]] = {"cpu": ("f32", "int8"), "tensorrt": ("f32", "f16")}
"""Provider -> precisions that it is built in here; the first is its default."""

TENSORRT = "TensorrtExecutionProvider"
CPU = "CPUExecutionProvider"

LEAST_PAST = 8
"""Tokens before the new ones that a run has at least, filled up if need be: TensorRT's profiles start above zero."""

Provider = str | tuple[str, dict[str, Any]]


def require_provider(provider: str, precision: str) -> None:
    """Make sure that a provider is here and builds this precision.

    Raises:
        UsageError: there is no such provider, or it is not built in this precision.
        EngineUnavailable: this machine does not have it.
    """
    if provider not in PROVIDERS:
        raise UsageError(f"there is no provider {provider!r}", f"it is one of {', '.join(PROVIDERS)}")
    if precision not in PROVIDERS[provider]:
        raise UsageError(
            f"the provider {provider} is not built in {precision}", f"it is in {', '.join(PROVIDERS[provider])}"
        )
    if provider == "tensorrt":
        import onnxruntime

        if not find_gpus():
            raise EngineUnavailable(
                "the TensorRT execution provider cannot be used here", "it needs an NVIDIA GPU", 'provider="cpu"'
            )
        if TENSORRT not in onnxruntime.get_available_providers():
            raise EngineUnavailable(
                "the TensorRT execution provider cannot be used here",
                "this ONNX Runtime was built for CPUs, or TensorRT is not installed",
                "pip uninstall -y onnxruntime && pip install onnxruntime-gpu tensorrt",
            )


def building_providers(
    provider: str, precision: str, profile: ShapeProfile, config: LlamaConfig, folder: Path, engine: str
) -> list[Provider]:
    """What a session that builds an engine is given.

    Args:
        provider, precision: as in `PROVIDERS`.
        profile: becomes TensorRT's own; ONNX Runtime's CPU kernels take any shape.
        config: of the model.
        folder: takes what TensorRT keeps beside the engine.
        engine: file name of the engine in it.

    Source of the options' names: onnxruntime.ai, TensorRT execution provider. Never run on a GPU here.
    """
    if provider == "cpu":
        return [CPU]
    largest = (profile.sequences, profile.tokens, profile.past)
    smallest = largest if profile.fixed else (1, 1, LEAST_PAST)
    options = {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
        "trt_dump_ep_context_model": True,
        "trt_ep_context_file_path": str(folder / engine),
        "trt_fp16_enable": precision == "f16",
        "trt_profile_min_shapes": input_shapes(config, *smallest),
        "trt_profile_opt_shapes": input_shapes(config, *largest),
        "trt_profile_max_shapes": input_shapes(config, *largest),
    }
    return [(TENSORRT, options), CPU]


def loading_providers(provider: str, folder: Path) -> list[Provider]:
    """What a session that loads a built engine is given."""
    if provider == "cpu":
        return [CPU]
    return [(TENSORRT, {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder)}), CPU]


def input_shapes(config: LlamaConfig, sequences: int, tokens: int, past: int) -> str:
    """The inputs' shapes as TensorRT's options want them: `ids:1x8,starts:1,...`."""
    kv = f"2x{config.kv_heads}x{config.head_size}"
    layers = [f"past_{layer}:{sequences}x{past}x{kv}" for layer in range(config.layers)]
    return ",".join([f"ids:{sequences}x{tokens}", f"starts:{sequences}", f"last:{sequences}", *layers])
