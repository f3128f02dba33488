"""Ollama: started with the context and the parallel slots that are asked for, the model pulled or made, then served.

Left alone it takes one sequence at a time and, on a Spark, a context of 262144 tokens: the plan always sets both.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers.engines.containers import docker_problem
from helpers.engines.gguf_sources import find_gguf
from helpers.engines.gpu_engine import GpuEngine
from helpers.engines.job import Capabilities, Job, Serve
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.sources import Source
from helpers.errors import UsageError
from helpers.models import catalogue, hub

NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Timings:
    """What Ollama says of one answer; counts of tokens, seconds.

    `prompt_tokens` includes cached ones while `prefill_s` covers only the new ones, so their quotient is a prefill rate
    only for a prompt with a unique beginning.
    """

    load_s: float
    prompt_tokens: int
    prefill_s: float
    output_tokens: int
    decode_s: float


def read_timings(final: Mapping[str, Any]) -> Timings:
    """From the last object of a stream (`done` true); fields that are zero are left out by Ollama.

    Raises:
        UsageError: it is not the last object.
    """
    if not final.get("done"):
        raise UsageError("only the last object of an Ollama stream has timings", "its `done` is not true")
    return Timings(
        load_s=final.get("load_duration", 0) / NANOSECONDS,
        prompt_tokens=final.get("prompt_eval_count", 0),
        prefill_s=final.get("prompt_eval_duration", 0) / NANOSECONDS,
        output_tokens=final.get("eval_count", 0),
        decode_s=final.get("eval_duration", 0) / NANOSECONDS,
    )


class Ollama(GpuEngine):
    """The adapter; see `helpers.engines.adapter.Adapter`."""

    name = "ollama"
    program = "ollama"
    precisions = ("q4_k_m", "mxfp4", "q8_0", "f16")
    speculations = ("none",)
    options = frozenset({"max_model_len", "max_num_seqs", "container", "extra"})
    extra = ("release", "kv_cache_dtype", "file")
    capabilities = Capabilities(
        kv_cache_dtypes=("f16", "q8_0", "q4_0"),
        structured_output="format with a JSON schema; response_format in its OpenAI API",
        chunked_prefill="always, inside llama.cpp",
        prefix_caching="always, per slot",
    )
    metric_names: Mapping[str, str] = {}

    def needs(self) -> tuple[str, str] | None:
        """The program; it runs without a GPU too."""

        if shutil.which("ollama") is None and docker_problem():
            return "the ollama program", "./course engines install ollama"
        return None

    def complete(self, config: ServeConfig) -> ServeConfig:
        """As all; a file gets its stem for a name, since Ollama's names are no paths."""
        path = Path(config.model).expanduser()
        if config.model not in catalogue.entries() and path.is_file():
            config = replace(config, model=path.stem.lower(), extra={**config.extra, "file": str(path.resolve())})
        return super().complete(config)

    def prefers_container(self, config: ServeConfig) -> bool:
        """The native program, as in the playbook; where only Docker is there, its image."""
        return shutil.which("ollama") is None and not docker_problem()

    def offered(self, model: str) -> tuple[str, ...]:
        """One quantization of each model in its library."""
        known = hub.models().get(model)
        if known is None:
            return ()
        return ("mxfp4",) if known.family == "gpt-oss" else ("q4_k_m",)

    def own_precision(self, config: ServeConfig, release: object) -> str:
        """The course model is exported as f16."""
        return "f16" if config.model in catalogue.entries() else ""

    def locate(self, model: str, precision: str) -> Source:
        """Its name in the library, or a GGUF file."""
        known = hub.models().get(model)
        if known is None:
            return find_gguf(model, precision) if model in catalogue.entries() else Source(model, False)
        if not known.ollama or precision not in ("", *self.offered(model)):
            raise UsageError(
                f"Ollama's library has no {precision or 'version'} of {model} that the catalogue knows",
                f"it has {known.ollama or 'none'} ({', '.join(self.offered(model))})",
                "give a name from ollama.com/library, or the path of a .gguf file, as the model",
            )
        return Source(known.ollama, False, known, known.context_length, known.kv_values_per_token)

    def plan(self, config: ServeConfig) -> LaunchPlan:
        """It is ready when it has the model; it has no metrics page."""
        plan = super().plan(config)
        root = plan.urls["api"].removesuffix("/v1")
        urls = {name: url for name, url in plan.urls.items() if name != "metrics"}
        ready = f"{root}/api/version" if "/" in config.model else f"{root}/v1/models/{config.model}"
        return replace(plan, urls={**urls, "health": ready, "ready": ready, "version": f"{root}/api/version"})

    def serve(self, job: Job, rank: int) -> Serve:
        """A script: start, wait, get the model, and stay."""
        config = job.config
        file = job.option("file") or (job.source.location if job.source.is_path else "")
        environment = {
            "OLLAMA_HOST": f"{job.host}:{config.port}",
            "OLLAMA_CONTEXT_LENGTH": str(job.context_length),
            "OLLAMA_NUM_PARALLEL": str(config.max_num_seqs),
            "OLLAMA_MAX_LOADED_MODELS": "1",
            "OLLAMA_KEEP_ALIVE": "-1",
            "OLLAMA_FLASH_ATTENTION": "1",
        }
        if job.option("kv_cache_dtype"):
            environment["OLLAMA_KV_CACHE_TYPE"] = job.option("kv_cache_dtype")
        script, modelfile = str(job.folder / "serve.sh"), str(job.folder / "Modelfile")
        if file:
            files = {modelfile: f"FROM {file}\n"}
            get = f"ollama create '{config.model}' -f '{modelfile}'\n"
        else:
            files = {}
            get = f"ollama pull '{job.source.location}'\n"
            if job.source.location != config.model:
                get += f"ollama cp '{job.source.location}' '{config.model}'\n"
        return Serve(
            argv=["sh", script],
            environment=environment,
            files={script: SCRIPT.format(get=get), **files},
            volumes={"course-ollama": "/root/.ollama"},
            read_only=[file] if file else [],
            notes=[
                f"{config.max_num_seqs} sequences of {job.context_length} tokens; left alone: 1, and 262144 on a Spark",
                "no metrics page: each answer of /api/chat carries its timings (nanoseconds)",
                "an Ollama that already runs as a service is used with helpers.attach, and keeps its own settings",
            ],
        )

    def read_metrics(self, urls: Mapping[str, str]) -> dict[str, float]:
        """Ollama has none."""
        return {}


SCRIPT = """#!/bin/sh
set -eu
ollama serve &
SERVER=$!
trap 'kill "$SERVER"' INT TERM
until ollama list > /dev/null 2>&1; do
  kill -0 "$SERVER"
  sleep 0.2
done
{get}wait "$SERVER"
"""
"""The wait ends with the server: `kill -0` fails when it is gone, and the script with it."""

ADAPTER = Ollama()
