"""llama.cpp's own server, `llama-server`: a CUDA build on the machine, or its image.

The course's embedded engine is the same server from a wheel, for the CPU (`llama_cpp.py`); this one is taken on a
Spark, with container True or False, and for a model that is downloaded.
"""

import shutil

from helpers.engines import catalog, llama_cpp
from helpers.engines.containers import docker_problem
from helpers.engines.failures import Symptom
from helpers.engines.gguf_sources import find_gguf, known_precisions
from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.job import Capabilities, Job, Serve
from helpers.engines.llama_cpp_log import REFUSALS, SYMPTOMS
from helpers.engines.plan import ServeConfig
from helpers.engines.sources import Source
from helpers.errors import UsageError

MICRO_BATCH_TOKENS = 2048
"""Tokens of a prefill step: what llama.cpp's DGX Spark benchmark uses; the default is 512."""

TYPES = {"ngram": "ngram-simple", "draft": "draft-simple", "eagle3": "draft-eagle3"}


class LlamaServer(GpuEngine):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "llama.cpp"
    program = "llama-server"
    precisions = ("q4_k_m", "q8_0", "mxfp4", "f16", "bf16", "f32")
    options = frozenset(
        {"max_model_len", "max_num_seqs", "threads", "draft_model", "draft_tokens", "prefix_caching", "embeddings"}
        | {"container", "extra"}
    )
    extra = ("release", "kv_cache_dtype", "micro_batch_tokens")
    capabilities = Capabilities(
        kv_cache_dtypes=("f16", "bf16", "q8_0", "q4_0"),
        structured_output="response_format with a JSON schema, and GBNF grammars",
        chunked_prefill="always: micro_batch_tokens is the chunk",
        prefix_caching="per slot, on by default; prefix_caching=False turns it off",
    )
    metric_names = llama_cpp.METRIC_NAMES
    refusals = REFUSALS

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """Those of the embedded server too."""
        return (*SYMPTOMS, *super().symptoms)

    def needs(self) -> tuple[str, str] | None:
        """The program, which runs without a GPU too, or its image."""
        from helpers.hardware import find_gpus

        if shutil.which(self.program) is None and (docker_problem() or not find_gpus()):
            return (
                f"{self.program}, built for this machine (the embedded engine is the CPU's: COURSE_PROFILE=laptop)",
                catalog.find(self.name).release(catalog.find(self.name).native).package,
            )
        return None

    def prefers_container(self, config: ServeConfig) -> bool:
        """The native build if there is one; where only Docker is there, the image."""
        return shutil.which(self.program) is None and not docker_problem()

    def offered(self, model: str) -> tuple[str, ...]:
        """Quantizations of its GGUF files."""
        return known_precisions(model)

    def locate(self, model: str, precision: str) -> Source:
        """A GGUF file, or its name on the hub."""
        return find_gguf(model, precision)

    def refuse(self, job: Job) -> None:
        """A draft is a GGUF file too."""
        if job.config.embeddings and job.config.speculation != "none":
            raise UsageError("embeddings and speculation exclude each other", "", "leave one of them out")

    def serve(self, job: Job, rank: int) -> Serve:
        """`llama-server`; its context is shared by all slots, so it is as long as all of them together."""
        config = job.config
        words = ["llama-server", *(["--model"] if job.source.is_path else ["--hf-repo"]), job.source.location]
        words += ["--alias", config.model, "--host", job.host, "--port", str(config.port), "--metrics"]
        words += ["--ctx-size", str(job.context_length * config.max_num_seqs), "--parallel", str(config.max_num_seqs)]
        words += ["--n-gpu-layers", "all", "--flash-attn", "on", "--load-mode", "dio"]
        words += ["--ubatch-size", str(job.option("micro_batch_tokens", MICRO_BATCH_TOKENS))]
        if config.threads is not None:
            words += ["--threads", str(config.threads)]
        if job.option("kv_cache_dtype"):
            words += ["--cache-type-k", job.option("kv_cache_dtype"), "--cache-type-v", job.option("kv_cache_dtype")]
        if not config.prefix_caching:
            words += ["--no-cache-prompt"]
        if config.embeddings:
            words += ["--embeddings", "--pooling", "mean"]
        if config.speculation != "none":
            words += ["--spec-type", TYPES[config.speculation]]
        if job.draft is not None:
            words += ["--spec-draft-model" if job.draft.is_path else "--spec-draft-hf", job.draft.location]
            words += ["--spec-draft-n-max", str(config.draft_tokens)]
        if config.speculation == "ngram":
            words += ["--spec-ngram-simple-size-m", str(config.draft_tokens)]
        return Serve(
            argv=words,
            volumes={"course-llama-cache": "/root/.cache/llama.cpp"},
            notes=[
                f"{config.max_num_seqs} slots of {job.context_length} tokens",
                "direct I/O keeps the page cache, which a Spark's GPU shares, free of the model file",
                *([job.release.note] if job.release.note else []),
            ],
        )


ADAPTER = LlamaServer()
