"""llama.cpp's HTTP server as a process: `python -m helpers.engines.llama_cpp_process PARAMETERS.json PORT`.

The parameters are those that `helpers.engines.llama_cpp` writes. It ends by SIGTERM or SIGKILL, at once: no handler is
installed, because Python's would wait for the lock that llama.cpp holds while it loads.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

NGRAM_TOKENS = 4
"""How many last tokens must have occurred before for n-gram speculation to propose what followed them. llama.cpp's
default of 12 hardly ever finds any with a vocabulary of 2,048, where a word is two or three tokens."""

PROMPT_CACHE_MIB = 0
"""Prompts kept outside the slots. llama.cpp's default would let it grow to 8 GiB under a load of unique prompts."""

HTTP_THREADS = 320
"""Each open stream holds one: fewer would hide waiting requests from the metrics, and make /health wait."""

WARNINGS = 2
"""llama.cpp's verbosity that logs errors and warnings but no line per request."""


def make_parameters(wanted: dict[str, Any], port: int) -> Any:
    """xllamacpp's CommonParams for the wanted parameters."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = wanted["model"]
    parameters.model_alias = {wanted["alias"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = wanted["context"]
    parameters.n_parallel = wanted["slots"]
    parameters.n_threads_http = HTTP_THREADS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = wanted["threads"]
    kind = {"f32": xllamacpp.ggml_type.GGML_TYPE_F32, "f16": xllamacpp.ggml_type.GGML_TYPE_F16}[wanted["kv_type"]]
    parameters.cache_type_k = parameters.cache_type_v = kind
    parameters.cache_prompt = wanted["prefix_caching"]
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.endpoint_metrics = True
    parameters.fit_params = False  # what was asked for, or an error: never a quietly smaller context
    parameters.ui = False
    parameters.verbosity = WARNINGS
    if wanted["embeddings"]:
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if wanted["speculation"] != "none":
        types = xllamacpp.common_speculative_type
        speculative = parameters.speculative
        speculative.types = [
            {
                # MAP_K: the simple kind finds nothing in text that repeats sooner than draft_tokens.
                "ngram": types.COMMON_SPECULATIVE_TYPE_NGRAM_MAP_K,
                "draft": types.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE,
                "eagle3": types.COMMON_SPECULATIVE_TYPE_DRAFT_EAGLE3,
            }[wanted["speculation"]]
        ]
        speculative.ngram_map_k.size_n = NGRAM_TOKENS
        speculative.ngram_map_k.size_m = wanted["draft_tokens"]
        speculative.draft.n_max = wanted["draft_tokens"]
        speculative.draft.cpuparams.n_threads = speculative.draft.cpuparams_batch.n_threads = wanted["threads"]
        speculative.draft.mparams.path = wanted["draft"]
    for name, value in wanted["extra"].items():
        setattr(parameters, name, value)
    return parameters


def main(path: str, port: int) -> None:
    """Serve until a signal ends the process."""
    import xllamacpp

    _server = xllamacpp.Server(make_parameters(json.loads(Path(path).read_text()), port))
    try:
        signal.pause()
    finally:
        # Ctrl-C when run by hand. Leaving in the ordinary way would wait for open streams.
        os._exit(130)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
