"""llama.cpp through the wheel `xllamacpp`: CPU only, in a process of its own, the course's embedded engine.

Its traps, measured, and what is done about them:

- OpenMP threads that spin starve everything else on shared cores: OMP_WAIT_POLICY=passive, one thread by default;
- zero slots, impossible ports and a context beyond the model's are accepted and fail later: refused here;
- every failed start is the same exception, its cause only in the log: `SYMPTOMS` knows them;
- a draft that does not fit is logged, and then served without: `REFUSALS` notices;
- loading holds Python's lock, and ending with open streams hangs: a process of its own, ended by signal.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from helpers.config import ROOT, read_settings
from helpers.engines import metrics, probe
from helpers.engines.llama_cpp_log import REFUSALS, SYMPTOMS
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.ports import HOST
from helpers.errors import MissingError, UsageError
from helpers.hardware import usable_cores

SEQUENCE_LIMIT = 256
"""LLAMA_MAX_SEQ of llama.cpp: more slots end the process."""

EXPORTED = ("f16", "f32", "bf16", "q8_0")
"""Precisions that a directory is exported to; others come in .gguf files."""

METRIC_NAMES = {
    "llamacpp:requests_processing": "requests_running",
    "llamacpp:requests_deferred": "requests_waiting",
    "llamacpp:prompt_tokens_total": "prompt_tokens_total",
    "llamacpp:prompt_tokens_cached_total": "cached_tokens_total",
    "llamacpp:tokens_predicted_total": "output_tokens_total",
    "llamacpp:prompt_seconds_total": "prefill_seconds_total",
    "llamacpp:tokens_predicted_seconds_total": "decode_seconds_total",
    "llamacpp:n_decode_total": "decode_steps_total",
    "llamacpp:spec_decode_num_drafts_total": "drafts_total",
    "llamacpp:spec_decode_num_draft_tokens_total": "draft_tokens_total",
    "llamacpp:spec_decode_num_accepted_tokens_total": "accepted_tokens_total",
}


class LlamaCpp:
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "llama.cpp"
    default_port = 8081
    precisions: tuple[str, ...] = (*EXPORTED, "q4_k_m")
    speculations: tuple[str, ...] = ("none", "ngram", "draft", "eagle3")
    options = frozenset(
        {"max_model_len", "max_num_seqs", "threads", "draft_model", "draft_tokens"}
        | {"embeddings", "prefix_caching", "extra"}
    )
    extra: tuple[str, ...] = ("n_batch", "n_ubatch", "cache_ram_mib")
    metric_names: Mapping[str, str] = METRIC_NAMES
    symptoms = SYMPTOMS
    refusals = REFUSALS
    start_limit_s = 120.0

    def needs(self) -> tuple[str, str] | None:
        """The wheel, and a processor that it was built for."""
        if sys.platform == "win32":
            return "Linux or macOS; there is no wheel for Windows", "run the course in WSL2, or attach to a URL"
        if importlib.util.find_spec("xllamacpp") is None:
            return "the Python package xllamacpp", "./course run sets up the environment with it"
        if not _has_avx2():
            return "a processor with AVX2, which its wheel is built for", "attach to an engine on another machine"
        return None

    def complete(self, config: ServeConfig) -> ServeConfig:
        """The file's precision for a .gguf file, one thread, and the model's context length."""
        trained_length = _context_length(config.model)
        length = config.max_model_len or trained_length
        if length > trained_length:
            raise UsageError(
                f"max_model_len cannot be {length}",
                f"the model was trained for {trained_length} positions",
                f"max_model_len={trained_length}",
            )
        if config.max_num_seqs > SEQUENCE_LIMIT:
            raise UsageError(
                f"max_num_seqs cannot be {config.max_num_seqs}", f"llama.cpp has at most {SEQUENCE_LIMIT} slots"
            )
        threads = config.threads or 1
        if threads > usable_cores():
            raise UsageError(
                f"threads cannot be {threads}", f"this process may use {usable_cores()} cores", "threads=1"
            )
        precision = config.precision or _stored_precision(config.model) or self.precisions[0]
        return replace(config, precision=precision, max_model_len=length, threads=threads)

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """Exports the model if need be; the process reads its parameters from a file named by their digest."""
        from helpers.models import catalogue

        assert config.max_model_len is not None
        parameters = {
            "model": str(catalogue.gguf(config.model, config.precision)),
            "alias": config.model,
            "context": config.max_model_len * config.max_num_seqs,
            "slots": config.max_num_seqs,
            "threads": config.threads,
            # Half-precision keys and values would make f32 weights something else than a float32 reference.
            "kv_type": "f32" if config.precision == "f32" else "f16",
            "speculation": config.speculation,
            "draft": str(_draft_file(config.draft_model, config.precision)) if config.draft_model else "",
            "draft_tokens": config.draft_tokens,
            "embeddings": config.embeddings,
            "prefix_caching": config.prefix_caching,
            "extra": dict(config.extra),
        }
        text = json.dumps(parameters, indent=2) + "\n"
        name = f"llama.cpp-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        path = read_settings().cache / "plans" / name
        port = config.port or self.default_port
        root = f"http://{HOST}:{port}"
        return LaunchPlan(
            engine=self.name,
            argv=(sys.executable, "-m", "helpers.engines.llama_cpp_process", str(path), str(port)),
            env={"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"},
            files={str(path): text},
            port=port,
            urls={"api": root + "/v1", "health": root + "/health", "metrics": root + "/metrics"},
            notes=(
                f"{config.max_num_seqs} slots of {config.max_model_len} tokens; further requests wait",
                "the wheel computes on the CPU only",
            ),
        )

    def backend(self, config: ServeConfig) -> str:
        """Program, version, device."""
        version = importlib.metadata.version("xllamacpp")
        return f"llama.cpp (xllamacpp {version}), CPU, {config.threads} thread{'s' if config.threads != 1 else ''}"

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """/metrics, and the KV cache's use, which only /slots tells: tokens of running requests by all positions."""
        values = metrics.scrape(urls["metrics"], self.metric_names)
        slots = probe.get(urls["metrics"].replace("/metrics", "/slots")).value
        if isinstance(slots, list) and slots:
            used = sum(slot.get("n_prompt_tokens", 0) for slot in slots if slot["is_processing"])
            values["kv_cache_usage"] = used / sum(slot["n_ctx"] for slot in slots)
        return values


def _draft_file(model: str, precision: str) -> Path:
    """The draft at the target's precision if it can be exported to that; a .gguf file as it is."""
    from helpers.models import catalogue

    return catalogue.resolve(model).gguf_file or catalogue.gguf(
        model, precision if precision in EXPORTED else EXPORTED[0]
    )


def _stored_precision(model: str) -> str:
    """What a .gguf file holds; empty for a directory, which is exported at any precision."""
    from helpers.models import catalogue

    file = catalogue.resolve(model).gguf_file
    if file is None:
        return ""
    from helpers.models.gguf import stored_precision  # the gguf package takes half a second to import

    return stored_precision(file)


def _context_length(model: str) -> int:
    """Positions that the model was trained for."""
    from helpers.models import catalogue

    files = catalogue.resolve(model)
    if files.gguf_file is None:
        from helpers.models.checkpoint import read_config

        return read_config(files.directory).context_length
    _stored_precision(model)  # raises MissingError for a file that is no GGUF
    import gguf

    reader = gguf.GGUFReader(files.gguf_file)
    architecture = reader.get_field("general.architecture")
    length = reader.get_field(f"{architecture.contents()}.context_length") if architecture is not None else None
    if length is None:
        raise MissingError(f"{files.gguf_file} does not say its context length", "an incomplete export")
    return int(length.contents())


def _has_avx2() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True  # macOS: every processor that it supports has what the wheel needs
    return "flags" not in flags or " avx2" in flags


ADAPTER = LlamaCpp()
