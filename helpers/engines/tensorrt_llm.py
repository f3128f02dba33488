"""TensorRT-LLM, both worlds, told apart by the release's version.

Up to 1.2 an engine is built ahead of time: convert_checkpoint.py (or quantize.py), trtllm-build, and trtllm-serve on
the engine's directory. After it the PyTorch backend serves the Hugging Face checkpoint as it is, tuned by a YAML file;
trtllm-build was removed after 1.3.0rc20 (July 2026).
"""

import shlex
from collections.abc import Mapping
from dataclasses import replace

from helpers.engines import metrics, probe, tensorrt_llm_aot, tensorrt_llm_bench, tensorrt_llm_nodes
from helpers.engines.catalog import Release
from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.job import MEMORY_FRACTION, Capabilities, Job, Serve
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.errors import UsageError

MAX_NUM_TOKENS = 8192
"""Tokens of one forward pass: trtllm-serve's own default, which bounds a prefill chunk."""

DECODING_TYPES = {"ngram": "NGram", "draft": "DraftTarget", "eagle3": "Eagle"}
"""Speculation -> `decoding_type`. `Eagle` is what both lines know; the drafts are EAGLE-3."""

LAST_WITH_TENSORRT = (1, 2)

METRIC_NAMES = {
    "trtllm_num_requests_running": "requests_running",
    "trtllm_num_requests_waiting": "requests_waiting",
    "trtllm_kv_cache_utilization": "kv_cache_usage",
    "trtllm_prompt_tokens_total": "prompt_tokens_total",
    "trtllm_prompt_cached_tokens_total": "cached_tokens_total",
    "trtllm_generation_tokens_total": "output_tokens_total",
    "trtllm_request_prefill_time_seconds_sum": "prefill_seconds_total",
    "trtllm_request_decode_time_seconds_sum": "decode_seconds_total",
    "trtllm_num_paused_requests": "preemptions_total",
    "trtllm_spec_decode_num_draft_tokens_total": "draft_tokens_total",
    "trtllm_spec_decode_num_accepted_tokens_total": "accepted_tokens_total",
    "trtllm_spec_decode_acceptance_length": "acceptance_length",
}


class TensorRtLlm(GpuEngine):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "tensorrt-llm"
    program = "trtllm-serve"
    precisions = ("nvfp4", "fp8", "bf16", "f16", "mxfp4", "int4")
    extra = (*GpuEngine.extra, "max_num_tokens")
    capabilities = Capabilities(
        kv_cache_dtypes=("auto", "fp8", "nvfp4"),
        structured_output="response_format with a JSON schema (guided decoding, xgrammar)",
        chunked_prefill="off by default; chunked_prefill=True turns it on",
        prefix_caching="block reuse, on by default; prefix_caching=False turns it off",
        tensor_parallel=True,
        multi_node="mpirun with trtllm-llmapi-launch",
    )
    metric_names: Mapping[str, str] = METRIC_NAMES
    metrics_path = "/prometheus/metrics"

    def refuse(self, job: Job) -> None:
        """What only one of the two worlds has."""
        if ahead_of_time(job.release):
            tensorrt_llm_aot.refuse(job)
        if job.config.nodes and job.release.kind == "native":
            raise UsageError(
                "two Sparks are planned with containers", "mpirun starts the same image on both", "--container"
            )

    def precisions_of(self, release: Release) -> tuple[str, ...]:
        """MXFP4 came with the PyTorch backend."""
        return tuple(name for name in self.precisions if name != "mxfp4" or not ahead_of_time(release))

    def own_precision(self, config: ServeConfig, release: Release) -> str:
        """A build must be told; the PyTorch backend reads what the files say."""
        return "bf16" if ahead_of_time(release) else super().own_precision(config, release)

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """As all, with the endpoint of iterations beside the Prometheus page."""
        job = self.job(config)
        if config.nodes:
            return tensorrt_llm_nodes.plan(self, job, super().plan(replace(config, nodes=())))
        plan = super().plan(config)
        return replace(plan, urls={**plan.urls, "iterations": f"http://127.0.0.1:{config.port}/metrics"})

    def serve(self, job: Job, rank: int) -> Serve:
        """`trtllm-serve` with its YAML file, or the script that builds the engine first."""
        if ahead_of_time(job.release):
            return tensorrt_llm_aot.serve(job)
        settings = str(job.folder / "config.yml")
        bench = str(job.folder / "prefill-bench.sh")
        return Serve(
            argv=["trtllm-serve", job.source.location, *arguments(job, settings)],
            files={settings: to_yaml(settings_of(job)), bench: tensorrt_llm_bench.prefill_script(job, settings)},
            notes=notes(job, bench),
        )

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """The Prometheus page; where a release has none, the newest iteration of the queue at /metrics.

        Reading the queue empties it, so it is read only then, and an idle server answers with nothing new.
        """
        values = metrics.scrape(urls["metrics"], self.metric_names)
        return values or newest_iteration(probe.get(urls["iterations"]).value)


def ahead_of_time(release: Release) -> bool:
    """Whether this version builds engines: 1.2 and before."""
    major, minor = release.version.split(".")[:2]
    return (int(major), int(minor)) <= LAST_WITH_TENSORRT


def arguments(job: Job, settings: str) -> list[str]:
    """Options of `trtllm-serve`, PyTorch backend."""
    config = job.config
    words = ["--host", job.host, "--port", str(config.port), "--served_model_name", config.model]
    words += ["--max_batch_size", str(config.max_num_seqs), "--max_seq_len", str(job.context_length)]
    words += ["--max_num_tokens", str(job.option("max_num_tokens", MAX_NUM_TOKENS))]
    if config.tensor_parallel > 1:
        words += ["--tp_size", str(config.tensor_parallel)]
    return [*words, "--config", settings]


def settings_of(job: Job) -> dict[str, object]:
    """The YAML file: KV cache, graphs, metrics, speculation.

    Source: NVIDIA's DGX Spark playbook, and docs/source/features of TensorRT-LLM. The fraction is of free memory.
    """
    config = job.config
    # Drafts of EAGLE and reused blocks did not go together in the playbook's recipe.
    reuse = config.prefix_caching and config.speculation != "eagle3"
    found: dict[str, object] = {
        "kv_cache_config": {
            "dtype": job.option("kv_cache_dtype", "auto"),
            "enable_block_reuse": reuse,
            "free_gpu_memory_fraction": job.option("gpu_memory_fraction", MEMORY_FRACTION),
        },
        "cuda_graph_config": None if config.eager else {"enable_padding": True, "max_batch_size": config.max_num_seqs},
        "enable_chunked_prefill": bool(job.option("chunked_prefill", False)),
        "disable_overlap_scheduler": True,
        "enable_iter_perf_stats": True,
        "return_perf_metrics": True,
        "print_iter_log": False,
    }
    if config.speculation != "none":
        speculation: dict[str, object] = {
            "decoding_type": DECODING_TYPES[config.speculation],
            "max_draft_len": config.draft_tokens,
        }
        if job.draft is not None:
            speculation["speculative_model"] = job.draft.location
        if config.speculation == "ngram":
            speculation["max_matching_ngram_size"] = 4
        found["speculative_config"] = speculation
    if config.speculation == "eagle3":
        found["enable_autotuner"] = False
    return found


def to_yaml(settings: Mapping[str, object], indent: str = "") -> str:
    """Nested mappings of text, numbers, truth values and None as YAML (https://yaml.org/spec/1.2.2/)."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:\n{to_yaml(value, indent + '  ')}"]
        elif value is None:
            lines += [f"{indent}{name}: null\n"]
        elif isinstance(value, bool):
            lines += [f"{indent}{name}: {str(value).lower()}\n"]
        else:
            lines += [f"{indent}{name}: {value}\n"]
    return "".join(lines)


def newest_iteration(queue: object) -> dict[str, float]:
    """The last element of /metrics (iteration statistics, JSON) under the common names; empty if the queue is."""
    if not isinstance(queue, list) or not queue:
        return {}
    last = queue[-1]
    found = {"requests_running": float(last["numActiveRequests"])} if "numActiveRequests" in last else {}
    if "numQueuedRequests" in last:
        found["requests_waiting"] = float(last["numQueuedRequests"])
    blocks = last.get("kvCacheStats") or {}
    if blocks.get("maxNumBlocks"):
        found["kv_cache_usage"] = blocks["usedNumBlocks"] / blocks["maxNumBlocks"]
    drafts = last.get("specDecodingStats") or {}
    if drafts.get("acceptanceLength"):
        found["acceptance_length"] = float(drafts["acceptanceLength"])
    return found


def notes(job: Job, bench: str) -> list[str]:
    """What a reader of the plan should know."""
    found = [
        f"version {job.release.version}: the PyTorch backend loads the checkpoint as it is; "
        "no engine is built (trtllm-build was removed after 1.3.0rc20; --release 1.2.1 shows the older way)",
        f"prefill, in the same image or environment: sh {shlex.quote(bench)}",
        f"KV cache: {job.option('gpu_memory_fraction', MEMORY_FRACTION)} of the memory that is free after loading",
    ]
    if job.config.speculation == "eagle3":
        found.append(
            "EAGLE-3 here cannot be switched off per request; block reuse and the autotuner are off, as in the playbook"
        )
    if job.source.known is not None and job.source.known.family == "gpt-oss":
        found.append(
            "gpt-oss needs o200k_base.tiktoken and cl100k_base.tiktoken in the folder TIKTOKEN_ENCODINGS_BASE names"
        )
    return found


ADAPTER = TensorRtLlm()
