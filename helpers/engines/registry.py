"""Engines by name. An adapter is one module; this table is the only place that lists them."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from helpers.engines.adapter import Adapter
from helpers.engines.plan import close_match
from helpers.errors import EngineUnavailable, UsageError

MODULES = {
    "llama.cpp": "helpers.engines.llama_cpp",
    "vllm": "helpers.engines.vllm",
    "sglang": "helpers.engines.sglang",
    "tensorrt-llm": "helpers.engines.tensorrt_llm",
    "ollama": "helpers.engines.ollama",
    "nano": "helpers.engines.nano",
    "onnxruntime": "helpers.engines.onnxruntime",
}
"""Engine -> the module with its ADAPTER."""

LLAMA_SERVER = "helpers.engines.llama_server"
"""llama.cpp again, as a program or a container of its own; MODULES has the embedded one, which is a laptop's."""

DEFAULTS = {"laptop": "llama.cpp", "spark": "vllm", "two-sparks": "vllm"}
"""Profile -> the engine that `auto` means. A Spark never falls back to figures of its CPU."""


def names() -> tuple[str, ...]:
    """Every engine of the course, startable here or not."""
    return tuple(MODULES)


def require_name(engine: str) -> None:
    """Raises UsageError, with the close match, for a name that is no engine's."""
    if engine not in ("auto", "attach", *names()):
        raise UsageError(
            f"there is no engine {engine!r}{close_match(engine, names())}", f"the engines are {', '.join(names())}"
        )


def choose(engine: str, model: str = "course", container: bool | None = None) -> Adapter:
    """The adapter of an engine, whether it can run here or not.

    Args:
        engine: a name, or `auto`.
        model, container: as in `ServeConfig`; they choose between the two forms of llama.cpp.

    Raises:
        UsageError: there is no such engine.
        EngineUnavailable: it has no adapter (`attach`).
    """
    require_name(engine)
    if engine == "auto":
        from helpers.hardware import choose_profile, read_hardware

        engine = DEFAULTS[choose_profile(read_hardware())]
    if engine not in MODULES:
        raise EngineUnavailable(
            f"{engine} cannot be started here",
            "it needs a URL",
            f'helpers.attach("http://HOST:PORT/v1", engine="{engine}") uses one that runs elsewhere',
        )
    module = MODULES[engine]
    if engine == "llama.cpp" and (container is not None or _is_downloaded(model) or not is_embedded_default()):
        module = LLAMA_SERVER
    adapter: Adapter = importlib.import_module(module).ADAPTER
    return adapter


def find(engine: str, model: str = "course", container: bool | None = None) -> Adapter:
    """The adapter of an engine that can run on this machine; else like `choose`.

    Raises:
        EngineUnavailable: it cannot run here; the message says what it needs.
    """
    adapter = choose(engine, model, container)
    needs = adapter.needs()
    if needs is not None:
        raise EngineUnavailable(f"{adapter.name} cannot be started here", f"it needs {needs[0]}", needs[1])
    return adapter


def is_embedded_default() -> bool:
    """Whether llama.cpp means the embedded CPU engine; on a Spark it is the server built for the GPU."""
    from helpers.hardware import choose_profile, read_hardware

    return DEFAULTS[choose_profile(read_hardware())] == "llama.cpp"


def _is_downloaded(model: str) -> bool:
    from helpers.engines.gguf_sources import HUB_FILE
    from helpers.models import hub

    return model in hub.models() or (HUB_FILE.fullmatch(model) is not None and not Path(model).exists())


def metric_names() -> Mapping[str, str]:
    """Metric names of all engines together, for a server whose engine is not known; no two engines share one."""
    merged: dict[str, str] = {}
    for module in MODULES.values():
        merged |= importlib.import_module(module).ADAPTER.metric_names
    return merged
