"""The values between a configuration and a plan: what an engine can do, one job looked up, what one machine runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.engines.catalog import Release
from helpers.engines.plan import ServeConfig
from helpers.engines.sources import Source

CONTEXT_BY_DEFAULT = 8192
"""Tokens; the playbooks' value. Models allow 16 times as much, and their KV cache would fill a Spark."""

MEMORY_FRACTION = 0.7
"""Of a Spark's memory, which the CPU shares: 0.6 to 0.7 is where starts do not freeze the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do, for its page and for refusals.

    Attributes:
        kv_cache_dtypes: values of the extra option of that name.
        structured_output, chunked_prefill, prefix_caching: how it is asked for; empty if it has none.
        tensor_parallel: it splits layers over GPUs; multi_node: how it spans machines; empty if it does not.
    """

    kv_cache_dtypes: tuple[str, ...] = ()
    structured_output: str = ""
    chunked_prefill: str = ""
    prefix_caching: str = ""
    tensor_parallel: bool = False
    multi_node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One configuration with everything looked up.

    Attributes:
        config: completed, its port known.
        release: what runs.
        source: the model; draft: the draft model, if there is one.
        host: the address that the engine listens on.
        folder: where the plan's files are.
    """

    config: ServeConfig
    release: Release
    source: Source
    draft: Source | None
    host: str
    folder: Path

    def option(self, name: str, default: Any = "") -> Any:
        """An option of this engine only."""
        return self.config.extra.get(name, default)

    @property
    def context_length(self) -> int:
        """Tokens of one sequence."""
        return self.config.max_model_len or CONTEXT_BY_DEFAULT

    @property
    def kv_bytes(self) -> int:
        """KV cache of one GPU for all sequences at full length, in 2-byte values; 0 if the shape is not known."""
        tokens = self.config.max_num_seqs * self.context_length
        return tokens * self.source.kv_values_per_token * 2 // self.config.tensor_parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """What one machine runs: program and arguments, and what goes with them.

    Attributes:
        files: path -> text; their folders are mounted read-only.
        volumes, read_only, options: of its container (`helpers.engines.containers.Container`).
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    read_only: Sequence[str] = ()
    options: Sequence[str] = ()
    notes: Sequence[str] = ()


def gated(repository: str) -> str:
    """The note for a repository whose licence must be accepted first."""
    return f"{repository} is gated: accept its licence on the hub, then export HF_TOKEN where this runs"
