"""What is wanted (`ServeConfig`) and what is started for it (`LaunchPlan`): two values, nothing else.

    ServeConfig -> adapter.plan(config) -> LaunchPlan -> server

A plan can be printed, compared, tested and copied to a terminal. It never holds a secret: tokens reach an engine
through the environment of whoever starts it.
"""

import difflib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from helpers.errors import UsageError

PRECISIONS = ("f32", "bf16", "f16", "fp8", "nvfp4", "mxfp4", "int8", "int4", "q8_0", "q4_k_m")
SPECULATIONS = ("none", "ngram", "draft", "eagle3")

OTHER_NAMES = {
    "quantization": "precision",
    "dtype": "precision",
    "context_length": "max_model_len",
    "n_ctx": "max_model_len",
    "parallel": "max_num_seqs",
    "slots": "max_num_seqs",
    "n_threads": "threads",
    "speculative": "speculation",
    "draft": "draft_model",
    "tensor_parallel_size": "tensor_parallel",
    "num_speculative_tokens": "draft_tokens",
}
"""What engines call our options: only for a helpful message."""


def close_match(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for a mistyped name, or nothing."""
    known = list(known)
    other = OTHER_NAMES.get(name)
    found = [other] if other in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """What is to be served, and how, in words that mean the same for every engine.

    Attributes:
        engine: an engine's name, or `auto` for this machine's default.
        model: a catalogue id, a hub id, or a path.
        precision: of the weights (the contract's quantization); empty for the engine's default.
        port: 1 to 65535; 0 for a free one.
        max_model_len: tokens of one sequence, prompt and answer; None for all that the model was trained for.
        max_num_seqs: sequences computed at once; further requests wait in the engine's queue.
        threads: CPU threads; None for the engine's default.
        speculation: none, ngram, draft or eagle3.
        draft_model: the draft, or the EAGLE-3 head; only with those two.
        draft_tokens: tokens proposed before each verification.
        embeddings: serve /v1/embeddings too.
        prefix_caching: reuse the computed beginning of an earlier prompt.
        eager: no CUDA graphs.
        tensor_parallel: GPUs, or processes, that share each layer.
        nodes: host names, for an engine that spans machines.
        container: run the engine's image; False: its native program; None: the engine's default.
        extra: options of one engine only, in that engine's own words.
    """

    engine: str = "auto"
    model: str = "course"
    precision: str = ""
    port: int = 0
    max_model_len: int | None = None
    max_num_seqs: int = 8
    threads: int | None = None
    speculation: str = "none"
    draft_model: str = ""
    draft_tokens: int = 4
    embeddings: bool = False
    prefix_caching: bool = True
    eager: bool = False
    tensor_parallel: int = 1
    nodes: tuple[str, ...] = ()
    container: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_one_of("speculation", self.speculation, SPECULATIONS)
        _require_range("port", self.port, 0, 65535)
        if self.max_model_len is not None:
            _require_range("max_model_len", self.max_model_len, 1, 10_000_000)
        # Zero slots would start and then answer nobody (measured with llama.cpp).
        _require_range("max_num_seqs", self.max_num_seqs, 1, 65536)
        if self.threads is not None:
            _require_range("threads", self.threads, 1, 1024)
        _require_range("draft_tokens", self.draft_tokens, 1, 64)
        _require_range("tensor_parallel", self.tensor_parallel, 1, 64)
        needs_draft = self.speculation in ("draft", "eagle3")
        if needs_draft and not self.draft_model:
            raise UsageError(
                f"speculation {self.speculation} needs a draft_model",
                "the draft proposes what the model then verifies",
                "draft_model='course-draft' goes with model='course'",
            )
        if self.draft_model and not needs_draft:
            # Engines take the path and silently do not speculate.
            raise UsageError(
                f"draft_model is given but speculation is {self.speculation}", "", "add speculation='draft'"
            )

    @classmethod
    def build(cls, **options: Any) -> "ServeConfig":
        """Make a configuration from options by name.

        Raises:
            UsageError: an unknown name (the message has the close one), a wrong type, or a value out of range.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise UsageError(
                    f"there is no option {name!r}{close_match(name, known)}", f"the options are {', '.join(known)}"
                )
        if options.get("precision"):
            # Here and not for every value: a model file of one's own may hold a precision that has no name here.
            _require_one_of("precision", options["precision"], PRECISIONS)
        try:
            return cls(**options)
        except TypeError as error:
            raise UsageError("an option has a value of the wrong type", str(error)) from error

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        default = ServeConfig()
        return {
            f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(default, f.name)
        }

    def at_port(self, port: int) -> "ServeConfig":
        """The same on this port."""
        return replace(self, port=port)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """The exact command that serves a configuration.

    Attributes:
        engine: the engine's name.
        argv: the program and its arguments.
        env: what is added to the environment; names of secrets never appear with a value.
        files: path -> text of the files that the command reads and that must be written first.
        port: where it will listen.
        urls: `api` (the base that ends in /v1), `health`, `metrics`.
        notes: what a reader should know: defaults taken, limits of this engine.
    """

    engine: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    port: int
    urls: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def shell(self) -> str:
        """The command as one line for a terminal; the files must be there."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        return " ".join([*variables, shlex.join(self.argv)])

    @property
    def shell_lines(self) -> str:
        """`shell`, with a line for each variable and each option."""
        lines = [[f"{name}={shlex.quote(value)}"] for name, value in self.env.items()]
        lines.append([])
        for word in self.argv:
            has_its_value = len(lines[-1]) == 2 and lines[-1][0].startswith("-")
            if lines[-1] and (word.startswith("-") or has_its_value):
                lines.append([])
            lines[-1].append(shlex.quote(word))
        return " \\\n  ".join(" ".join(line) for line in lines)

    def to_json(self) -> dict[str, Any]:
        """The contract's {engine, argv, shell, env, files, port, urls, notes}."""
        return {
            "engine": self.engine,
            "argv": list(self.argv),
            "shell": self.shell,
            "env": dict(self.env),
            "files": dict(self.files),
            "port": self.port,
            "urls": dict(self.urls),
            "notes": list(self.notes),
        }


def _require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"{name} cannot be {value!r}{close_match(str(value), known)}", f"it is one of {', '.join(known)}"
        )


def _require_range(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} must be a whole number, not {value!r}")
    if not least <= value <= most:
        raise UsageError(f"{name} cannot be {value}", f"it lies between {least} and {most}")
