"""SGLang: the container; a radix tree of prefixes, and EAGLE-3 with draft trees."""

from collections.abc import Mapping

from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.job import Capabilities, Job, Serve
from helpers.errors import UsageError

MEMORY_FRACTION = 0.75
"""The playbook's value. Left alone, SGLang takes about 0.9 of a Spark."""

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
ALGORITHMS = {"ngram": "NGRAM", "draft": "STANDALONE", "eagle3": "EAGLE3"}
"""Speculation -> `--speculative-algorithm`. There is no Medusa."""

DIST_PORT = 20000

METRIC_NAMES = {
    "sglang:num_running_reqs": "requests_running",
    "sglang:num_queue_reqs": "requests_waiting",
    "sglang:token_usage": "kv_cache_usage",
    "sglang:prompt_tokens_total": "prompt_tokens_total",
    "sglang:cached_tokens_total": "cached_tokens_total",
    "sglang:generation_tokens_total": "output_tokens_total",
    "sglang:num_retracted_reqs": "preemptions_total",
    "sglang:spec_verify_calls_total": "drafts_total",
    "sglang:spec_accept_length": "acceptance_length",
}


class Sglang(GpuEngine):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "sglang"
    program = "sglang"
    precisions = ("bf16", "f16", "f32", "fp8", "nvfp4", "mxfp4", "int4")
    extra = (*GpuEngine.extra, "eagle_topk", "verify_tokens", "attention_backend")
    capabilities = Capabilities(
        kv_cache_dtypes=("auto", "bf16", "fp8_e4m3", "fp8_e5m2", "nvfp4"),
        structured_output="response_format with a JSON schema; regular expressions and EBNF too",
        chunked_prefill="on by default; chunked_prefill=False turns it off",
        prefix_caching="a radix tree, on by default; prefix_caching=False turns it off",
        tensor_parallel=True,
        multi_node="--nnodes, --node-rank, --dist-init-addr",
    )
    metric_names: Mapping[str, str] = METRIC_NAMES

    def refuse(self, job: Job) -> None:
        """A draft tree needs its size; options of trees need a tree."""
        topk, size = int(job.option("eagle_topk", 1)), job.option("verify_tokens", None)
        if job.config.speculation not in ("draft", "eagle3"):
            if topk != 1 or size is not None:
                raise UsageError("eagle_topk and verify_tokens go with speculation eagle3 or draft")
            return
        if topk > 1 and size is None:
            raise UsageError(
                f"eagle_topk {topk} makes a tree of drafts, whose size must be said",
                "SGLang takes all three numbers (steps, topk, draft tokens) or none",
                "add verify_tokens, 32 in the published Spark recipe",
            )
        if topk == 1 and size not in (None, job.config.draft_tokens + 1):
            raise UsageError(
                f"with eagle_topk 1 verify_tokens is draft_tokens + 1 = {job.config.draft_tokens + 1}",
                "",
                "leave it out",
            )
        if topk > 1 and job.option("attention_backend") == "trtllm_mha":
            raise UsageError("attention_backend trtllm_mha refuses a tree of drafts", "", "take flashinfer")

    def serve(self, job: Job, rank: int) -> Serve:
        """`sglang serve`."""
        config = job.config
        words = ["sglang", "serve", "--model-path", job.source.location, "--served-model-name", config.model]
        words += ["--host", job.host, "--port", str(config.port), "--context-length", str(job.context_length)]
        words += ["--max-running-requests", str(config.max_num_seqs)]
        words += ["--max-total-tokens", str(config.max_num_seqs * job.context_length)]
        words += ["--mem-fraction-static", str(job.option("gpu_memory_fraction", MEMORY_FRACTION))]
        words += ["--attention-backend", job.option("attention_backend", "flashinfer"), "--enable-metrics"]
        if config.precision in DTYPES:
            words += ["--dtype", DTYPES[config.precision]]
        if config.precision == "nvfp4":
            words += ["--quantization", "modelopt_fp4"]
        if config.tensor_parallel > 1:
            words += ["--tensor-parallel-size", str(config.tensor_parallel)]
        if job.option("kv_cache_dtype"):
            words += ["--kv-cache-dtype", job.option("kv_cache_dtype")]
        if not config.prefix_caching:
            words += ["--disable-radix-cache"]
        if not job.option("chunked_prefill", True):
            words += ["--chunked-prefill-size", "-1"]
        if config.eager:
            words += ["--cuda-graph-backend-decode", "disabled", "--cuda-graph-backend-prefill", "disabled"]
        if config.speculation != "none":
            words += speculation(job)
        if config.nodes:
            words += ["--nnodes", str(len(config.nodes)), "--node-rank", str(rank)]
            words += ["--dist-init-addr", f"{config.nodes[0]}:{DIST_PORT}"]
        environment = {}
        if job.draft is not None:
            # A draft's own config often names a shorter context than the target's.
            environment["SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN"] = "1"
        notes = [f"room for {config.max_num_seqs} sequences of {job.context_length} tokens"]
        if job.release.note:
            notes.append(job.release.note)
        if config.speculation in ("draft", "eagle3"):
            notes.append("steps, topk and draft tokens are given together: SGLang asserts all three or none")
        return Serve(
            argv=words,
            environment=environment,
            volumes={
                "course-sglang-cache": "/root/.cache/sglang",
                "course-flashinfer-cache": "/root/.cache/flashinfer",
            },
            options=["--shm-size", "32g"],
            notes=notes,
        )


def speculation(job: Job) -> list[str]:
    """Options of speculative decoding; with a chain (topk 1), one more token is verified than drafted."""
    config = job.config
    words = ["--speculative-algorithm", ALGORITHMS[config.speculation]]
    if job.draft is None:
        return [*words, "--speculative-num-draft-tokens", str(config.draft_tokens)]
    words += ["--speculative-draft-model-path", job.draft.location]
    words += ["--speculative-num-steps", str(config.draft_tokens)]
    words += ["--speculative-eagle-topk", str(job.option("eagle_topk", 1))]
    return [*words, "--speculative-num-draft-tokens", str(job.option("verify_tokens", config.draft_tokens + 1))]


ADAPTER = Sglang()
