"""Will it fit? Asked before an engine starts: a machine whose CPU and GPU share one memory freezes if it does not.

Memory is what the kernel says (MemAvailable), never what nvidia-smi says: on a Spark that is N/A. An engine needs its
weights, its KV cache and room to work; of the rest some stays with the host, and what other engines have been promised
but not taken yet is not available either.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.engines.job import MEMORY_FRACTION
from helpers.engines.lease import Ticket
from helpers.engines.plan import ServeConfig
from helpers.engines.process import MEMINFO
from helpers.engines.sources import find_source
from helpers.errors import EngineUnavailable
from helpers.models import catalogue, hub
from helpers.models.weights import BYTES_PER_WEIGHT

HOST_SHARE = 0.06
"""Of all memory, left to the host: 7 GiB of a Spark's. Our choice, twice the watchdog's limit."""

WATCHDOG_SHARE = 0.03
"""An engine is ended when less than this is available. Our choice: a host that has to swap answers nobody."""

ACTIVATION_SHARE = 0.1
"""Activations and load buffers, as a share of the weights. Our allowance, not measured on a Spark."""

PROGRAM_BYTES = {
    "llama.cpp": 10**8,
    "nano": 10**8,
    "onnxruntime": 2 * 10**8,
    "ollama": 10**8,
    "vllm": 3 * 10**9,
    "gpu": 6 * 10**9,
}
"""An engine without a model: llama.cpp (Ollama starts it too), ONNX Runtime and vLLM on a CPU as measured (rounded up);
GPU engines (context, graphs, workspaces) by allowance."""

NANO_CACHE_BYTES = 256 * 2**20
"""nano's cache takes no more, but for one sequence at full length; its `load_engine` says the same, a test compares."""

WHOLE_FRACTION = ("sglang",)
"""Engines that fill their fraction of all memory with KV cache, whatever the sequences need. TensorRT-LLM's is a
fraction of what is free after loading, so it leaves the rest by itself."""

DROP_CACHES = "sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'"


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What the kernel says, in bytes; `available_bytes` counts the page cache that can be given up."""

    total_bytes: int
    available_bytes: int

    @property
    def kept_bytes(self) -> int:
        """What stays with the host."""
        return int(self.total_bytes * HOST_SHARE)

    @property
    def watchdog_bytes(self) -> int:
        """An engine is ended when less than this is available."""
        return int(self.total_bytes * WATCHDOG_SHARE)


@dataclass(frozen=True, slots=True)
class Need:
    """What an engine will take, in bytes; weights are 0 where a model is not in the catalogue and not on disk."""

    weights_bytes: int
    kv_bytes: int
    working_bytes: int
    fraction_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it; an engine that fills a fraction of the memory takes at least that."""
        return max(self.weights_bytes + self.kv_bytes + self.working_bytes, self.fraction_bytes)

    def __str__(self) -> str:
        if self.fraction_bytes >= self.weights_bytes + self.kv_bytes + self.working_bytes:
            return f"it fills its memory fraction, {_gb(self.fraction_bytes)}"
        return f"weights {_gb(self.weights_bytes)}, KV cache {_gb(self.kv_bytes)}, working {_gb(self.working_bytes)}"


def host_memory() -> HostMemory:
    """Ask the kernel; psutil where there is no /proc/meminfo."""
    try:
        text = MEMINFO.read_text(encoding="ascii")
    except OSError:
        import psutil

        memory = psutil.virtual_memory()
        return HostMemory(memory.total, memory.available)
    values = {line.partition(":")[0]: line.split()[1] for line in text.splitlines() if ":" in line}
    return HostMemory(int(values["MemTotal"]) * 1024, int(values["MemAvailable"]) * 1024)


def estimate(config: ServeConfig, memory: HostMemory, *, on_gpu: bool) -> Need:
    """What a completed configuration will take on this machine."""
    machines = max(1, len(config.nodes))
    weights_bytes = _weights_bytes(config.model, config.precision)
    if config.draft_model:
        weights_bytes += _weights_bytes(config.draft_model, "")
    # What ONNX Runtime serves has float32 keys and values whatever the weights are.
    value_bytes = 4 if config.precision == "f32" or config.engine == "onnxruntime" else 2
    tokens = config.max_num_seqs * (config.max_model_len or 0)
    kv_bytes = tokens * _kv_values_per_token(config.model) * value_bytes
    if config.engine == "nano":
        one_sequence_bytes = kv_bytes // config.max_num_seqs
        kv_bytes = max(one_sequence_bytes, min(kv_bytes, NANO_CACHE_BYTES))
    fraction = float(config.extra.get("gpu_memory_fraction", MEMORY_FRACTION))
    return Need(
        weights_bytes // machines,
        kv_bytes // machines,
        int(weights_bytes / machines * ACTIVATION_SHARE) + PROGRAM_BYTES.get("gpu" if on_gpu else config.engine, 10**9),
        int(fraction * memory.total_bytes) if on_gpu and config.engine in WHOLE_FRACTION else 0,
    )


def promised_bytes(tickets: Sequence[Ticket], memory: HostMemory) -> int:
    """What engines that are still starting have been promised and not taken yet, as far as MemAvailable shows."""
    starting = [ticket.facts for ticket in tickets if ticket.facts.get("state") == "starting"]
    return sum(
        max(0, facts["need_bytes"] - max(0, facts["available_bytes"] - memory.available_bytes)) for facts in starting
    )


def require_fit(
    config: ServeConfig, need: Need, memory: HostMemory, promised: int = 0, running: Sequence[Ticket] = ()
) -> None:
    """Refuse what would leave the host without memory.

    Args:
        config: what is to be started.
        need: its estimate.
        memory: of the host, now.
        promised: see `promised_bytes`.
        running: engines that could be stopped.

    Raises:
        EngineUnavailable: it does not fit; the message says what to change.
    """
    free = memory.available_bytes - memory.kept_bytes - promised
    if need.total_bytes <= free:
        return
    promised_text = f", {_gb(promised)} promised to an engine that is starting" if promised else ""
    raise EngineUnavailable(
        f"{config.engine} with {config.model} would need {_gb(need.total_bytes)}, and {_gb(max(0, free))} can be given",
        f"{need}; {_gb(memory.available_bytes)} of {_gb(memory.total_bytes)} available, "
        f"{_gb(memory.kept_bytes)} kept for the host{promised_text}",
        _advice(config, need, free, running),
    )


def _advice(config: ServeConfig, need: Need, free: int, running: Sequence[Ticket]) -> str:
    """The mildest change that helps."""
    if need.fraction_bytes > free >= need.total_bytes - need.fraction_bytes:
        return f"extra={{'gpu_memory_fraction': {max(0.1, free / need.fraction_bytes * 0.95 * MEMORY_FRACTION):.2f}}}"
    fixed_bytes = need.weights_bytes + need.working_bytes
    if need.kv_bytes and fixed_bytes < free and config.max_model_len:
        room = (free - fixed_bytes) / need.kv_bytes
        if room * config.max_num_seqs >= 1:
            return (
                f"max_num_seqs={int(room * config.max_num_seqs)}, or max_model_len={int(room * config.max_model_len)}"
            )
        return f"max_num_seqs=1, max_model_len={int(room * config.max_num_seqs * config.max_model_len)}"
    if running:
        return f"end what holds memory first: ./course engines stop NAME ({'; '.join(map(str, running))})"
    known = hub.models().get(config.model)
    held = BYTES_PER_WEIGHT.get(config.precision, 2.0)
    lighter = [name for name in (known.repositories if known else ()) if BYTES_PER_WEIGHT.get(name, 9) < held]
    if lighter:
        return f"precision={min(lighter, key=BYTES_PER_WEIGHT.__getitem__)!r}, or a smaller model"
    return f"a smaller model; close what holds memory; on a Spark also: {DROP_CACHES}"


def _weights_bytes(model: str, precision: str) -> int:
    known = hub.models().get(model)
    if known is not None:
        return int(known.parameters * BYTES_PER_WEIGHT.get(precision or next(iter(known.repositories)), 2.0))
    directory, file = _files(model)
    if file is not None:
        return file.stat().st_size
    if directory is None:
        return 0
    stored_bytes = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    if precision not in BYTES_PER_WEIGHT:
        return stored_bytes
    config = _config(directory)
    stored = 4.0 if "float32" in (config.get("dtype"), config.get("torch_dtype")) else 2.0
    return int(stored_bytes * BYTES_PER_WEIGHT[precision] / stored)


def _kv_values_per_token(model: str) -> int:
    # A GGUF file's shape would take reading all of its header; its KV cache goes uncounted.
    return 0 if _files(model)[1] is not None else find_source(model).kv_values_per_token


def _files(model: str) -> tuple[Path | None, Path | None]:
    """Directory and .gguf file of a model on this machine; None and None for one on the hub."""
    if model not in catalogue.entries() and not Path(model).expanduser().exists():
        return None, None
    files = catalogue.resolve(model)
    return files.directory, files.gguf_file


def _config(directory: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return config


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
