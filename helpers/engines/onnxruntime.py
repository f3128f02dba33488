"""An engine built ahead of time with ONNX Runtime (`helpers.aot`), served by nano's server in its own process.

It is built at the first start for its model, precision and shapes, which is said in its log, and only loaded at the
next. Its scheduler, paged cache and metrics are nano's; the model's forward pass is the compiled graph.
"""

import importlib.metadata
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from helpers.config import ROOT
from helpers.engines.failures import Symptom
from helpers.engines.job import Capabilities
from helpers.engines.nano import Nano
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HOST
from helpers.errors import UsageError

EXTRAS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "profile": (str, ("range", "fixed")),
    "provider": (str, ("cpu", "tensorrt")),
    "max_num_batched_tokens": (int, ()),
}
"""Options of this engine only -> type, and the values they may have; () for any positive number."""

SYMPTOMS = (
    Symptom(r"onnxruntime: (.+)\nLikely cause: (.+)\nNext: (.+)", "{0}", "{1}", "{2}"),
    Symptom(r"onnxruntime: (.+)\nLikely cause: (.+)", "{0}", "{1}"),
    Symptom(r"onnxruntime: (.+)", "{0}"),
)
"""It says itself, in the course's three lines, why it does not start."""

BUILT_IN = {"cpu": ("f32", "int8"), "tensorrt": ("f32", "f16")}
"""Provider -> the precisions that it is built in (`helpers.aot.providers`)."""


class OnnxRuntime(Nano):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "onnxruntime"
    default_port = 8087
    precisions = ("f32", "int8", "f16")
    speculations = ("none",)
    options = frozenset({"max_model_len", "max_num_seqs", "threads", "prefix_caching", "extra"})
    extra = tuple(EXTRAS)
    values = EXTRAS
    capabilities = Capabilities(
        kv_cache_dtypes=("f32",),
        chunked_prefill="always on: max_num_batched_tokens is the engine's shape and the longest piece of a prompt",
        prefix_caching="block by block, on by default; prefix_caching=False turns it off",
    )
    symptoms = SYMPTOMS
    start_limit_s = 600.0

    def complete(self, config: ServeConfig) -> ServeConfig:
        """As nano's; refuses precisions that the provider is not built in."""
        config = super().complete(config)
        provider = config.extra.get("provider", "cpu")
        if config.precision not in BUILT_IN[provider]:
            raise UsageError(
                f"onnxruntime's provider {provider} does not serve {config.precision}",
                f"it serves {', '.join(BUILT_IN[provider])}",
            )
        return replace(config, extra={"profile": "range", "provider": provider, **config.extra})

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """`python -m helpers.aot.server`, which builds the engine unless it is there."""
        port = config.port or self.default_port
        words = [sys.executable, "-m", "helpers.aot.server", "--model", config.model]
        words += ["--host", HOST, "--port", str(port), "--max-model-len", str(config.max_model_len)]
        words += ["--max-num-seqs", str(config.max_num_seqs), "--precision", config.precision]
        words += ["--threads", str(config.threads)]
        for name, value in config.extra.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        if not config.prefix_caching:
            words += ["--no-enable-prefix-caching"]
        root = f"http://{HOST}:{port}"
        notes = [
            "the engine is built at the first start for this model, precision and shapes, and loaded from the cache "
            "after that; the log says which",
            f"shapes: {config.extra['profile']}, {config.max_num_seqs} sequences, {config.max_model_len} positions",
        ]
        if config.extra["provider"] == "tensorrt":
            notes.append(
                "needs an NVIDIA GPU, onnxruntime-gpu in place of onnxruntime, and TensorRT; this path was never run"
            )
        return LaunchPlan(
            engine=self.name,
            argv=tuple(words),
            env={"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            port=port,
            urls={"api": root + "/v1", "health": root + "/health", "metrics": root + "/metrics"}
            | {"trace": root + "/trace"},
            notes=tuple(notes),
        )

    def backend(self, config: ServeConfig) -> str:
        """Program, version, device."""
        threads = f"{config.threads} thread{'s' if config.threads != 1 else ''}"
        device = "TensorRT" if config.extra["provider"] == "tensorrt" else f"CPU, {threads}"
        version = importlib.metadata.version("onnxruntime")
        return f"ONNX Runtime {version}, {config.extra['profile']} shapes, on {device}; nano's scheduler"


ADAPTER = OnnxRuntime()
