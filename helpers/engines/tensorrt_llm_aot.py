"""TensorRT-LLM up to 1.2: convert the checkpoint, build the engine, serve its directory.

The flags were read in the parsers of convert_checkpoint.py, quantize.py and trtllm-build (tests/data/flags).
"""

import shlex

from helpers.engines.job import MEMORY_FRACTION, Job, Serve, gated
from helpers.errors import UsageError

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


def script(job: Job) -> str:
    """The three steps; the first two are skipped when the engine is there."""
    config = job.config
    # An engine fits one batch, length and number of GPUs only.
    shape = f"{config.precision}-batch{config.max_num_seqs}-length{job.context_length}-gpus{config.tensor_parallel}"
    engine = f"$WORK/{shape}/{config.model}"
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
    return f"""#!/bin/sh
# Convert, build, serve: {config.model}, {config.precision}, TensorRT-LLM {job.release.version}.
set -eu
WORK=${{TRTLLM_WORK:-$HOME/.cache/trtllm-engines}}
EXAMPLES=${{TRTLLM_EXAMPLES:-{EXAMPLES}}}
ENGINE="{engine}"
MODEL={model}
if [ ! -f "$ENGINE/config.json" ]; then
  mkdir -p "$ENGINE"
  {" ".join(convert)}
  {" ".join(build)}
fi
exec {" ".join(serve)}
"""


def serve(job: Job) -> Serve:
    """The script, in the image or in the native environment; built engines are kept in a volume."""
    path = str(job.folder / "build-and-serve.sh")
    found = [
        f"version {job.release.version} still has the TensorRT backend: the engine is built ahead of time, "
        "for this GPU, this batch and this length, and is then only loaded",
        "trtllm-build warns of its end from early 2026 on; after 1.3.0rc20 it is gone",
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
