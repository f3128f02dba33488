"""Build an engine once, load it ever after: export the graph, quantize it, compile it, keep what came out.

An engine belongs to one model, precision, shape profile and provider, to the versions that built it, and to the kind
of processor that it was optimised for; all of that is its key in the cache. A damaged engine is noticed before it is
loaded, built again, and the caller is told.
"""

import hashlib
import importlib.metadata
import json
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.aot.profile import ShapeProfile
from helpers.aot.providers import PROVIDERS, Provider, building_providers, loading_providers, require_provider
from helpers.config import read_settings
from helpers.errors import UsageError
from helpers.hardware import find_gpus, processor_name
from helpers.models import catalogue
from helpers.models.cache import cached, is_whole
from helpers.models.checkpoint import LlamaConfig, read_config

ENGINE_FILE = "engine.onnx"
WEIGHTS_FILE = "engine.weights"
FACTS_FILE = "engine.json"

FORM = 1
"""Of graph and engine; an engine of another form is not used."""

DEFAULT_SEQUENCES, DEFAULT_TOKENS = 8, 512


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine on disk.

    Attributes:
        model: as asked for; directory: its checkpoint.
        folder: the engine's.
        state: `built` now, `loaded` (it was there), or `rebuilt` (it was there and damaged).
        stages_s: seconds of each stage when it was built: export, quantize, compile.
        engine_bytes: what is loaded: graph and weights.
    """

    model: str
    directory: Path
    folder: Path
    precision: str
    profile: ShapeProfile
    provider: str
    state: str
    stages_s: dict[str, float]
    engine_bytes: int

    @property
    def build_s(self) -> float:
        """All stages together."""
        return sum(self.stages_s.values())

    @property
    def config(self) -> LlamaConfig:
        """Shape of the model."""
        return read_config(self.directory)


def build_engine(
    model: str = "course",
    *,
    precision: str = "",
    profile: ShapeProfile | None = None,
    provider: str = "cpu",
    tell: Callable[[str], None] | None = None,
) -> BuiltEngine:
    """The engine of a model, built unless it is there.

    Args:
        model: an id of the catalogue, or a directory in Hugging Face layout.
        precision: of the weights, see `PROVIDERS`; empty for the provider's default.
        profile: None for a range up to 8 sequences of 512 new tokens, and the model's context before them.
        provider: `cpu` or `tensorrt`.
        tell: gets one line for each thing that takes its time, and for a damaged engine.

    Raises:
        UsageError: the model is no plain Llama, or precision and profile do not fit.
        EngineUnavailable: this machine does not have the provider.
        MissingError: the model's files are damaged, or there is no room for the engine.
    """
    precision = precision or PROVIDERS.get(provider, ("f32",))[0]
    require_provider(provider, precision)
    files = catalogue.resolve(model)
    if files.gguf_file is not None:
        raise UsageError(f"{model} is a .gguf file", "engines are built from safetensors", "give a directory")
    config = read_config(files.directory)
    profile = profile or ShapeProfile("range", DEFAULT_SEQUENCES, DEFAULT_TOKENS, config.context_length)
    key = engine_key(files.directory, precision, profile, provider)
    folder = read_settings().cache / "onnx-engines" / f"{files.id}-{precision}-{key[:16]}"
    state = "loaded" if is_whole(folder) else "rebuilt" if folder.is_dir() else "built"
    told = tell or (lambda line: None)
    if state == "rebuilt":
        told(f"the engine in {folder} is damaged: it is built again")
    cached(folder, lambda making: _build(files.directory, making, precision, profile, provider, told))
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    return BuiltEngine(
        model=model,
        directory=files.directory,
        folder=folder,
        precision=precision,
        profile=profile,
        provider=provider,
        state=state,
        stages_s=facts["stages_s"],
        engine_bytes=sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".json"),
    )


def engine_key(directory: Path, precision: str, profile: ShapeProfile, provider: str) -> str:
    """SHA-256 of all that an engine depends on: one of these changes, and it is another engine."""
    depends = {
        "form": FORM,
        "model": catalogue.directory_digest(directory),
        "precision": precision,
        "profile": asdict(profile),
        "provider": provider,
        "versions": {name: importlib.metadata.version(name) for name in ("onnx", "onnxruntime")},
        # ONNX Runtime's last optimisations are made for one kind of processor; TensorRT's for one GPU.
        "processor": [platform.machine(), processor_name()],
        "gpus": [gpu.name for gpu in find_gpus()] if provider == "tensorrt" else [],
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def open_engine(engine: BuiltEngine, threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` on a built engine; nothing is optimised any more.

    Args:
        engine: from `build_engine`.
        threads: that one operator may use.
    """
    import onnxruntime

    options = _session_options(threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = loading_providers(engine.provider, engine.folder)
    return onnxruntime.InferenceSession(engine.folder / ENGINE_FILE, options, providers=providers)


def _build(
    directory: Path,
    folder: Path,
    precision: str,
    profile: ShapeProfile,
    provider: str,
    told: Callable[[str], None],
) -> None:
    from helpers.aot import graph

    stages_s: dict[str, float] = {}

    def stage(name: str, what: Callable[[], None]) -> None:
        started_s = time.perf_counter()
        what()
        stages_s[name] = time.perf_counter() - started_s
        told(f"{name}: {stages_s[name]:.1f} s")

    source = folder / graph.GRAPH_FILE
    stage("export", lambda: graph.write_graph(directory, folder))
    if provider == "tensorrt":
        graph.expand_attention(source)
    if precision == "int8":
        quantized = folder / "quantized.onnx"
        stage("quantize", lambda: _quantize(source, quantized))
        source = quantized
    providers = building_providers(provider, precision, profile, read_config(directory), folder, ENGINE_FILE)
    stage("compile", lambda: _compile(source, folder, profile, providers, save=provider == "cpu"))
    for leftover in (*folder.glob("graph.*"), *folder.glob("quantized.*")):
        leftover.unlink()
    facts = {"stages_s": stages_s, "precision": precision, "profile": asdict(profile), "provider": provider}
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _quantize(source: Path, target: Path) -> None:
    """Weights to 8 bits, one scale for each output; activations are rounded while the engine runs (dynamic)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It advises on preparations for graphs of images, through the root logger.
    logging.getLogger().addFilter(_is_no_advice)
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            # Unsigned, because signed ones overflow on processors without VNNI (ONNX Runtime, Quantize ONNX models).
            weight_type=QuantType.QUInt8,
            use_external_data_format=True,
        )
    finally:
        logging.getLogger().removeFilter(_is_no_advice)


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


def _compile(source: Path, folder: Path, profile: ShapeProfile, providers: list[Provider], *, save: bool) -> None:
    import onnxruntime

    options = _session_options(threads=1)
    if profile.fixed:
        for name in ("sequences", "tokens", "past"):
            options.add_free_dimension_override_by_name(name, getattr(profile, name))
    if save:
        options.optimized_model_filepath = str(folder / ENGINE_FILE)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS_FILE)
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    onnxruntime.InferenceSession(source, options, providers=providers)


def _session_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait take the cores from whoever measures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # 3: errors. A saved engine is for this kind of processor: a warning to others, and the cache's key says it.
    options.log_severity_level = 3
    return options
