"""Engines by name. An adapter is one module; this table is the only place that lists them."""

import importlib
from collections.abc import Mapping

from helpers.engines.adapter import Adapter
from helpers.engines.plan import close_match
from helpers.errors import EngineUnavailable, UsageError

MODULES = {"llama.cpp": "helpers.engines.llama_cpp"}
"""Engine -> the module with its ADAPTER."""

NOT_HERE = {
    "vllm": "an environment of its own with vLLM, or its container on an NVIDIA GPU",
    "sglang": "an NVIDIA GPU and SGLang's container",
    "tensorrt-llm": "an NVIDIA GPU and TensorRT-LLM's container",
    "ollama": "the ollama program",
    "nano": "the course's own engine, which this version does not have yet",
    "onnxruntime": "an exported ONNX graph, which this version does not have yet",
}
"""Engines of the course that this version does not start -> what they need."""

DEFAULTS = {"laptop": "llama.cpp", "spark": "vllm", "two-sparks": "vllm"}
"""Profile -> the engine that `auto` means. A Spark never falls back to figures of its CPU."""


def names() -> tuple[str, ...]:
    """Every engine of the course, startable here or not."""
    return (*MODULES, *NOT_HERE)


def require_name(engine: str) -> None:
    """Raises UsageError, with the close match, for a name that is no engine's."""
    if engine not in ("auto", "attach", *names()):
        raise UsageError(
            f"there is no engine {engine!r}{close_match(engine, names())}", f"the engines are {', '.join(names())}"
        )


def find(engine: str) -> Adapter:
    """The adapter of an engine that can run on this machine.

    Args:
        engine: a name, or `auto`.

    Raises:
        UsageError: there is no such engine.
        EngineUnavailable: it cannot run here; the message says what it needs.
    """
    require_name(engine)
    if engine == "auto":
        from helpers.hardware import choose_profile, read_hardware

        engine = DEFAULTS[choose_profile(read_hardware())]
    if engine in NOT_HERE:
        raise EngineUnavailable(
            f"{engine} cannot be started here",
            f"it needs {NOT_HERE[engine]}",
            f'helpers.attach("http://HOST:PORT/v1", engine="{engine}") uses one that runs elsewhere',
        )
    adapter: Adapter = importlib.import_module(MODULES[engine]).ADAPTER
    needs = adapter.needs()
    if needs is not None:
        raise EngineUnavailable(f"{engine} cannot be started here", f"it needs {needs[0]}", needs[1])
    return adapter


def metric_names() -> Mapping[str, str]:
    """Metric names of all engines together, for a server whose engine is not known; no two engines share one."""
    merged: dict[str, str] = {}
    for module in MODULES.values():
        merged |= importlib.import_module(module).ADAPTER.metric_names
    return merged
