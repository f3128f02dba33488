"""TensorRT-LLM up to 1.2: convert the checkpoint, build the engine, serve its directory.

Each step is done once: what a stopped run has finished is kept, and a built engine is found again by a key of its
version, model and options. What a build takes is checked, and said, before it starts.

The flags were read in the parsers of convert_checkpoint.py, quantize.py and trtllm-build (tests/data/flags).
"""

import hashlib
import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from helpers.engines.job import MEMORY_FRACTION, Job, Serve, gated
from helpers.errors import UsageError
from helpers.models.weights import BYTES_PER_WEIGHT

MAX_NUM_TOKENS = 8192
EXAMPLES = "/app/tensorrt_llm/examples"
"""In the release image; TRTLLM_EXAMPLES names another place."""

CONVERTERS = {"llama": "models/core/llama/convert_checkpoint.py", "qwen": "models/core/qwen/convert_checkpoint.py"}
"""Family -> its converter below EXAMPLES. The course model is of the Llama family."""

DTYPES = {"bf16": "bfloat16", "f16": "float16", "int4": "auto"}
DOWNLOAD = 'import huggingface_hub as hub; print(hub.snapshot_download("{}"))'
CALIBRATED = ("fp8", "nvfp4")
"""Precisions that quantize.py makes from a 16-bit checkpoint, with a calibration data set."""


def refuse(job: Job) -> None:
    """Raise UsageError for what this path does not build."""
    hint = "--release 1.3.0rc13 serves it with the PyTorch backend"
    if family(job) not in CONVERTERS:
        raise UsageError(f"{job.config.model} has no converter to a TensorRT engine here", "", hint)
    if job.config.speculation != "none":
        raise UsageError(
            "no engine with speculation is built ahead of time here",
            "its drafts were of EAGLE-1 and -2, and are compiled into the engine",
            hint,
        )
    if job.config.nodes:
        raise UsageError("an engine built ahead of time is planned for one machine", "", hint)


def family(job: Job) -> str:
    """Which converter fits; a model of this machine is taken for a Llama."""
    return job.source.known.family if job.source.known is not None else "llama"


def original(job: Job) -> str:
    """The 16-bit checkpoint that is converted: quantized ones on the hub are made for the PyTorch backend."""
    known = job.source.known
    return job.source.location if known is None else known.repositories["bf16"]


@dataclass(frozen=True, slots=True)
class BuildNeeds:
    """What a build takes, told before it starts; bytes are 0 where the model's size is not known.

    Attributes:
        disk_bytes: the original, the converted checkpoint and the engine. Our sum, not a measurement.
        memory_bytes: the original's weights while they are converted, half as much again to work with. Our allowance.
        least_s: to read and write all that once, at a disk's gigabyte a second; how much longer the builder takes
            nobody has published for a Spark.
    """

    disk_bytes: int
    memory_bytes: int
    least_s: float

    @classmethod
    def of(cls, job: Job) -> "BuildNeeds":
        """From the model's size and the precision."""
        known = job.source.known
        if known is not None:
            weights = known.parameters
        else:
            weights = sum(path.stat().st_size for path in Path(job.source.location).glob("*.safetensors")) // 2
        original_bytes = 2 * weights
        built_bytes = int(weights * BYTES_PER_WEIGHT[job.config.precision])
        disk_bytes = original_bytes + 2 * built_bytes
        return cls(disk_bytes, int(original_bytes * 1.5), (original_bytes + 4 * built_bytes) / 1e9)


def engine_key(job: Job) -> str:
    """What an engine depends on, as a folder's name: version, model, precision, shape and GPUs; another is another."""
    config = job.config
    depends = [job.release.version, original(job), config.precision, config.max_num_seqs, job.context_length]
    depends += [config.tensor_parallel, job.option("max_num_tokens", MAX_NUM_TOKENS)]
    if job.source.is_path:
        # Sizes and times instead of contents: a plan must not read gigabytes.
        files = sorted(Path(job.source.location).glob("*"))
        depends += [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    digest = hashlib.sha256(repr(depends).encode()).hexdigest()[:12]
    return f"{job.release.version}-{config.precision}-batch{config.max_num_seqs}-length{job.context_length}-{digest}"


def script(job: Job) -> str:
    """Checks, then three steps; of the first two, what was finished before is not done again."""
    config, needs = job.config, BuildNeeds.of(job)
    engine = f"$WORK/{engine_key(job)}/{config.model if not job.source.is_path else Path(job.source.location).name}"
    model = (
        shlex.quote(job.source.location)
        if job.source.is_path
        else f"$(python3 -c {shlex.quote(DOWNLOAD.format(original(job)))})"
    )
    parts = ["--tp_size", str(config.tensor_parallel)]
    if config.precision in CALIBRATED:
        convert = ["python3", '"$EXAMPLES/quantization/quantize.py"', "--qformat", config.precision, "--dtype", "auto"]
        convert += ["--calib_size", "512", *parts]
    else:
        convert = ["python3", f'"$EXAMPLES/{CONVERTERS[family(job)]}"', "--dtype", DTYPES[config.precision], *parts]
        if config.precision == "int4":
            convert += ["--use_weight_only", "--weight_only_precision", "int4"]
    convert += ["--model_dir", '"$MODEL"', "--output_dir", '"$ENGINE.checkpoint"']
    build = ["trtllm-build", "--checkpoint_dir", '"$ENGINE.checkpoint"', "--output_dir", '"$ENGINE"']
    build += ["--max_batch_size", str(config.max_num_seqs), "--max_seq_len", str(job.context_length)]
    build += ["--max_num_tokens", str(job.option("max_num_tokens", MAX_NUM_TOKENS)), "--gemm_plugin", "auto"]
    build += ["--use_paged_context_fmha", "enable", "--workers", str(config.tensor_parallel)]
    serve = ["trtllm-serve", '"$ENGINE"', "--tokenizer", '"$MODEL"', "--backend", "tensorrt"]
    serve += ["--host", job.host, "--port", str(config.port), "--max_batch_size", str(config.max_num_seqs)]
    serve += ["--kv_cache_free_gpu_memory_fraction", str(job.option("gpu_memory_fraction", MEMORY_FRACTION)), *parts]
    line = ".".join(job.release.version.split(".")[:2])
    memory_gb, disk_gb = (math.ceil(value / 1e9) for value in (needs.memory_bytes, needs.disk_bytes))
    return f"""#!/bin/sh
# Convert, build, serve: {config.model}, {config.precision}, TensorRT-LLM {job.release.version}.
set -eu
WORK=${{TRTLLM_WORK:-$HOME/.cache/trtllm-engines}}
EXAMPLES=${{TRTLLM_EXAMPLES:-{EXAMPLES}}}
ENGINE="{engine}"
TIMES="$WORK/build-times.txt"
say() {{ echo "build: $*" >&2; }}
refuse() {{ say "$*"; exit 3; }}
free() {{ df -Pk "$WORK" | awk 'NR == 2 {{ print int($4 / 1000 / 1000) }}'; }}
available() {{ awk '/^MemAvailable:/ {{ print int($2 / 1000 / 1000) }}' /proc/meminfo; }}
begin() {{ rm -rf "$2"; mkdir -p "$2"; BEGAN=$(date +%s); say "$1"; }}
finish() {{ SECONDS_TAKEN=$(($(date +%s) - BEGAN)); touch "$2.complete"
  echo "$1 $SECONDS_TAKEN {engine_key(job)}" >> "$TIMES"; say "$1 took $SECONDS_TAKEN s"; }}
mkdir -p "$WORK"
if [ -f "$ENGINE.complete" ]; then
  say "the engine is there, and only loaded"
else
  FOUND=$(python3 -c 'import tensorrt_llm; print(tensorrt_llm.__version__)' | tail -n 1)
  case "$FOUND" in {line}.*) ;; *) refuse "this is TensorRT-LLM $FOUND; engines are built here with {line}" ;; esac
  if [ "$(available)" -lt {memory_gb} ]; then
    refuse "{memory_gb} GB of memory are needed, $(available) GB are available"
  fi
  if [ ! -f "$ENGINE.checkpoint.complete" ] && [ "$(free)" -lt {disk_gb} ]; then
    refuse "{disk_gb} GB of disk are needed in $WORK, $(free) GB are free"
  fi
  say "expected: at least {needs.least_s:.0f} s for reading and writing alone"
  [ ! -f "$TIMES" ] || say "on this machine took, in seconds: $(tail -n 4 "$TIMES" | paste -s -d ',')"
fi
MODEL={model}
if [ ! -f "$ENGINE.complete" ] && [ ! -f "$ENGINE.checkpoint.complete" ]; then
  begin convert "$ENGINE.checkpoint"
  {" ".join(convert)}
  finish convert "$ENGINE.checkpoint"
fi
if [ ! -f "$ENGINE.complete" ]; then
  begin build "$ENGINE"
  {" ".join(build)}
  finish build "$ENGINE"
fi
exec {" ".join(serve)}
"""


def serve(job: Job) -> Serve:
    """The script, in the image or in the native environment; built engines are kept in a volume."""
    path, needs = str(job.folder / "build-and-serve.sh"), BuildNeeds.of(job)
    found = [
        f"version {job.release.version} still has the TensorRT backend: the engine is built ahead of time, "
        "for this GPU, this batch and this length, and is then only loaded",
        "trtllm-build warns of its end from early 2026 on; after 1.3.0rc20 it is gone",
        f"before it builds it checks the version, {needs.memory_bytes / 1e9:.0f} GB of memory and "
        f"{needs.disk_bytes / 1e9:.0f} GB of disk (our sums, not measured); at least {needs.least_s:.0f} s for reading "
        "and writing alone, and it says how long builds have taken on this machine",
        "stopped, it goes on with the step it was at; a built engine is kept under its version, model and options",
    ]
    if job.release.note:
        found.append(job.release.note)
    if job.source.known is not None and original(job) in job.source.known.gated:
        found.append(gated(original(job)))
    if job.config.precision in CALIBRATED:
        found.append(
            f"quantize.py calibrates {original(job)} to {job.config.precision}: it holds the 16-bit weights meanwhile"
        )
    return Serve(
        argv=["sh", path],
        files={path: script(job)},
        volumes={"course-trtllm-engines": "/root/.cache/trtllm-engines"},
        notes=found,
    )
