"""nano, the course's own engine in NumPy (`helpers.nano`), served by its own process like any other engine.

float32 on the CPU only; what it lacks in speed it shows in the open: `/trace` tells what each step did.
"""

import importlib.metadata
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.config import ROOT
from helpers.engines import metrics
from helpers.engines.failures import Symptom
from helpers.engines.job import Capabilities
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HOST
from helpers.engines.server import Server
from helpers.errors import EngineFailed, UsageError
from helpers.hardware import usable_cores

EXTRAS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "kv_cache_dtype": (str, ("f32", "int8")),
    "batching": (str, ("continuous", "static")),
    "chunked_prefill": (bool, (True, False)),
    "max_num_batched_tokens": (int, ()),
    "block_size": (int, ()),
    "num_blocks": (int, ()),
}
"""Options of this engine only -> type, and the values they may have; () for any positive number."""

METRIC_NAMES = {
    "nano:num_requests_running": "requests_running",
    "nano:num_requests_waiting": "requests_waiting",
    "nano:kv_cache_usage_perc": "kv_cache_usage",
    "nano:prompt_tokens_total": "prompt_tokens_total",
    "nano:prompt_tokens_cached_total": "cached_tokens_total",
    "nano:generation_tokens_total": "output_tokens_total",
    "nano:request_decode_time_seconds_sum": "decode_seconds_total",
    "nano:iteration_tokens_total_count": "decode_steps_total",
    "nano:num_preemptions_total": "preemptions_total",
    "nano:spec_decode_num_drafts_total": "drafts_total",
    "nano:spec_decode_num_draft_tokens_total": "draft_tokens_total",
    "nano:spec_decode_num_accepted_tokens_total": "accepted_tokens_total",
}

SYMPTOMS = (
    Symptom(r"nano: (.+)\nLikely cause: (.+)\nNext: (.+)", "{0}", "{1}", "{2}"),
    Symptom(r"nano: (.+)\nLikely cause: (.+)", "{0}", "{1}"),
    Symptom(r"nano: (.+)", "{0}"),
)
"""It says itself, in the course's three lines, why it does not start."""


class Nano:
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "nano"
    default_port = 8086
    precisions: tuple[str, ...] = ("f32",)
    speculations: tuple[str, ...] = ("none", "ngram", "draft", "eagle3")
    options = frozenset(
        {"max_model_len", "max_num_seqs", "threads", "draft_model", "draft_tokens", "prefix_caching"}
        | {"tensor_parallel", "extra"}
    )
    extra: tuple[str, ...] = tuple(EXTRAS)
    values: Mapping[str, tuple[Any, tuple[Any, ...]]] = EXTRAS
    capabilities = Capabilities(
        kv_cache_dtypes=("f32", "int8"),
        chunked_prefill="on by default; chunked_prefill=False computes each prompt in one step",
        prefix_caching="block by block, on by default; prefix_caching=False turns it off",
        tensor_parallel=True,
    )
    metric_names: Mapping[str, str] = METRIC_NAMES
    symptoms: tuple[Symptom, ...] = SYMPTOMS
    refusals: tuple[Symptom, ...] = ()
    start_limit_s = 120.0

    def needs(self) -> tuple[str, str] | None:
        """Nothing besides the course's own environment."""
        if sys.platform == "win32":
            return "Linux or macOS", "run the course in WSL2, or attach to a URL"
        return None

    def complete(self, config: ServeConfig) -> ServeConfig:
        """One thread for each process, and the model's context length; refuses what the model cannot be."""
        from helpers.models import catalogue
        from helpers.models.checkpoint import read_config

        files = catalogue.resolve(config.model)
        if files.gguf_file is not None:
            raise UsageError(
                f"{self.name} does not read {config.model}",
                "it reads safetensors",
                "give a directory in Hugging Face layout",
            )
        shape = read_config(files.directory)
        length = config.max_model_len or shape.context_length
        if length > shape.context_length:
            raise UsageError(
                f"max_model_len cannot be {length}",
                f"the model was trained for {shape.context_length} positions",
                f"max_model_len={shape.context_length}",
            )
        if shape.kv_heads % config.tensor_parallel or shape.intermediate_size % config.tensor_parallel:
            raise UsageError(
                f"tensor_parallel cannot be {config.tensor_parallel}",
                f"the model's {shape.kv_heads} KV heads or its {shape.intermediate_size} MLP columns cannot be shared "
                "evenly",
            )
        threads = config.threads or 1
        if threads * config.tensor_parallel > usable_cores():
            raise UsageError(
                f"threads cannot be {threads} in {config.tensor_parallel} processes",
                f"this process may use {usable_cores()} cores",
                "threads=1",
            )
        for name, value in config.extra.items():
            self._require_value(name, value)
        return replace(config, precision=config.precision or self.precisions[0], max_model_len=length, threads=threads)

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """`python -m helpers.nano.server` with vLLM's names for its options."""
        words = [sys.executable, "-m", "helpers.nano.server", "--model", config.model]
        port = config.port or self.default_port
        words += ["--host", HOST, "--port", str(port), "--max-model-len", str(config.max_model_len)]
        words += ["--max-num-seqs", str(config.max_num_seqs)]
        if config.tensor_parallel > 1:
            words += ["--tensor-parallel-size", str(config.tensor_parallel)]
        if config.speculation != "none":
            words += ["--speculation", config.speculation, "--num-speculative-tokens", str(config.draft_tokens)]
        if config.draft_model:
            words += ["--draft-model", config.draft_model]
        if not config.prefix_caching:
            words += ["--no-enable-prefix-caching"]
        for name, value in config.extra.items():
            if name == "chunked_prefill":
                words += [] if value else ["--no-enable-chunked-prefill"]
            else:
                words += [f"--{name.replace('_', '-')}", str(value)]
        root = f"http://{HOST}:{port}"
        threads = str(config.threads)
        return LaunchPlan(
            engine=self.name,
            argv=tuple(words),
            # NumPy's matrix products; which of them counts depends on the library that it was built with.
            env={
                "PYTHONPATH": str(ROOT),
                "OPENBLAS_NUM_THREADS": threads,
                "OMP_NUM_THREADS": threads,
                "VECLIB_MAXIMUM_THREADS": threads,
            },
            port=port,
            urls={"api": root + "/v1", "health": root + "/health", "metrics": root + "/metrics"}
            | {"trace": root + "/trace"},
            notes=(
                f"at most {config.max_num_seqs} sequences of up to {config.max_model_len} tokens in a step; further "
                "requests wait",
                "NumPy, float32, on the CPU only: an engine to read, not to serve with",
            ),
        )

    def backend(self, config: ServeConfig) -> str:
        """Program, version, device."""
        processes = f"{config.tensor_parallel} processes of " if config.tensor_parallel > 1 else ""
        return (
            f"nano (NumPy {importlib.metadata.version('numpy')}), CPU, {processes}"
            f"{config.threads} thread{'s' if config.threads != 1 else ''}"
        )

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """From its Prometheus page."""
        return metrics.scrape(urls["metrics"], self.metric_names)

    def _require_value(self, name: str, value: Any) -> None:
        kind, values = self.values[name]
        # Not isinstance: True is a whole number to Python.
        if type(value) is not kind or (value not in values if values else value < 1):
            allowed = ", ".join(map(repr, values)) or "a whole number above zero"
            raise UsageError(f"{self.name}'s {name} cannot be {value!r}", f"it is {allowed}")


def read_trace(server: Server, since: int = 0) -> list[dict[str, Any]]:
    """What nano's newest steps did: the JSON of `helpers.nano.trace.StepRecord`, oldest first.

    Args:
        server: a launched nano.
        since: only steps with a higher number.

    Raises:
        UsageError: the server is not a nano that was launched here.
        EngineFailed: it does not answer.
    """
    if server.plan is None or "trace" not in server.plan.urls:
        raise UsageError(f"{server.engine} has no trace of its steps", "only nano records them", 'launch("nano")')
    endpoint = Endpoint.parse(server.plan.urls["trace"])
    steps: list[dict[str, Any]] = []
    while True:
        last = steps[-1]["number"] if steps else since
        try:
            answer = ask(endpoint, "GET", f"{endpoint.base}?since={last}")
        except OSError as error:
            raise EngineFailed(f"no trace: {error}", "the engine has ended") from error
        if not answer.value["steps"]:
            return steps
        steps += answer.value["steps"]


ADAPTER = Nano()
