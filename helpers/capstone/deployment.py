"""A deployment: what a learner decides, read from a TOML file, and refused before anything starts if it cannot be.

    engine = "nano"                 [prediction]                [by]
    model = "course-heavy"          goodput_per_s = 1.5         name = "Ada"
    max_num_seqs = 16               ttft_p90_s = 2.0
    replicas = 2                    output_tokens_per_s = 36.0

What a file does not say is what `helpers.launch` takes. `[prediction]` is on the brief's clock; `[by]` is for those who
want to stand in the leaderboard by name.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any

from helpers.capstone.brief import Brief
from helpers.engines import memory, registry
from helpers.engines.adapter import Adapter, complete
from helpers.engines.drafts import known_draft
from helpers.engines.plan import ServeConfig, close_match
from helpers.engines.reservation import uses_gpu
from helpers.errors import MissingError, UsageError
from helpers.hardware import usable_cores

TOKEN_BUDGET = ("max_num_batched_tokens", "max_num_tokens", "n_ubatch", "micro_batch_tokens")
"""What engines call the most tokens that they compute in one step; each adapter takes one of them, or none."""

TEMPLATE_TOKENS = 32
"""Room for a chat template around one message."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a learner expects, on the brief's clock; None where nothing is said.

    Attributes:
        goodput_per_s: requests per second that keep the objective.
        ttft_p90_s: 90th percentile of the time to first token.
        output_tokens_per_s: of all streams together.
    """

    goodput_per_s: float | None = None
    ttft_p90_s: float | None = None
    output_tokens_per_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
                raise UsageError(f"the prediction {name} must be a number of at least 0, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is decided; None leaves it to the engine.

    Attributes:
        engine, model, quantization: what serves what.
        kv_cache_dtype: how keys and values are kept.
        max_num_seqs, max_model_len, max_num_batched_tokens: sequences at once, tokens of one, tokens of one step.
        prefix_caching, chunked_prefill: on or off.
        speculation, draft_tokens: who proposes, and how many tokens.
        threads: CPU threads of each replica; tensor_parallel: GPUs, or processes, that share each layer.
        replicas: engines behind the gateway; one is served without it.
        extra: options of the engine alone, in its own words.
        prediction: what is expected of it.
        name: for the leaderboard; empty: anonymous.
    """

    engine: str
    model: str
    quantization: str = ""
    kv_cache_dtype: str = ""
    max_num_seqs: int | None = None
    max_model_len: int | None = None
    max_num_batched_tokens: int | None = None
    prefix_caching: bool = True
    chunked_prefill: bool | None = None
    speculation: str = "none"
    draft_tokens: int | None = None
    threads: int | None = None
    tensor_parallel: int = 1
    replicas: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    prediction: Prediction = Prediction()
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.replicas, bool) or not isinstance(self.replicas, int) or not 1 <= self.replicas <= 16:
            raise UsageError(f"replicas must be a whole number from 1 to 16, not {self.replicas!r}")
        for name in ("prefix_caching", "chunked_prefill"):
            if not isinstance(getattr(self, name), bool | None):
                raise UsageError(f"{name} must be true or false, not {getattr(self, name)!r}")

    @classmethod
    def build(cls, **options: Any) -> "Deployment":
        """Make a deployment from options by name; `prediction` may be a dictionary.

        Raises:
            UsageError: an unknown name (the message has the close one), a missing one, or a value that cannot be.
        """
        options = {**options, "prediction": _make(Prediction, options.get("prediction", Prediction()), "prediction")}
        made: Deployment = _make(cls, options, "deployment")
        return made

    @property
    def decisions(self) -> dict[str, Any]:
        """What differs from the defaults, without prediction and name: how a table shows it."""
        plain = {f.name: f.default for f in fields(self)}
        hidden = ("prediction", "name", "extra")
        said = {name: getattr(self, name) for name in plain if name not in hidden}
        return {name: value for name, value in said.items() if value != plain[name]} | dict(self.extra)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `build` is its inverse."""
        return asdict(self)

    def config(self, adapter: Adapter) -> ServeConfig:
        """The same in the words of `helpers.launch`.

        Raises:
            UsageError: a value out of range, or a token budget where the engine has no option for it.
        """
        extra = dict(self.extra)
        if self.kv_cache_dtype:
            extra["kv_cache_dtype"] = self.kv_cache_dtype
        if self.chunked_prefill is not None:
            extra["chunked_prefill"] = self.chunked_prefill
        if self.max_num_batched_tokens is not None:
            budget = next((name for name in TOKEN_BUDGET if name in adapter.extra), None)
            if budget is None:
                raise UsageError(f"max_num_batched_tokens cannot be set for {adapter.name}", "it has no option for it")
            extra[budget] = self.max_num_batched_tokens
        options = {
            "max_num_seqs": self.max_num_seqs,
            "draft_tokens": self.draft_tokens,
            "max_model_len": self.max_model_len,
            "threads": self.threads,
        }
        return ServeConfig.build(
            engine=adapter.name,
            model=self.model,
            precision=self.quantization,
            prefix_caching=self.prefix_caching,
            speculation=self.speculation,
            draft_model=known_draft(adapter.name, self.model, self.speculation),
            tensor_parallel=self.tensor_parallel,
            extra=extra,
            **{name: value for name, value in options.items() if value is not None},
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A deployment that may be started: the engine's adapter and the completed configuration of each replica."""

    deployment: Deployment
    adapter: Adapter
    config: ServeConfig
    need_bytes: int

    @property
    def cores(self) -> int:
        """CPU cores that its replicas compute on."""
        return (self.config.threads or 1) * self.config.tensor_parallel * self.deployment.replicas


def read_deployment(path: Path) -> Deployment:
    """Read a deployment's file.

    Raises:
        MissingError: there is no such file. UsageError: it is not TOML, or says something unknown or impossible.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), "--deployment FILE.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML", str(error), "helpers/capstone/deployment.py shows the form") from error
    by = table.pop("by", {})
    if not isinstance(by, dict) or set(by) - {"name"} or not isinstance(by.get("name", ""), str):
        raise UsageError(f"[by] in {path} takes a name and nothing else")
    if "name" in table:
        raise UsageError("there is no decision 'name'", "a name for the leaderboard stands in [by]")
    return Deployment.build(**table, name=by.get("name", ""))


def check(deployment: Deployment, brief: Brief) -> Checked:
    """See whether a deployment may be judged on a brief here; starts nothing.

    Raises:
        UsageError: the brief does not allow it, or the engine cannot do it. EngineUnavailable: the engine is missing.
        MissingError: it does not fit into the brief's memory or into this machine's.
    """
    require_offered(deployment, brief)
    adapter = registry.find(deployment.engine, deployment.model)
    config = complete(adapter, deployment.config(adapter))
    _require_room(config, brief)
    need = memory.estimate(config, memory.host_memory(), on_gpu=uses_gpu(config))
    checked = Checked(deployment, adapter, config, need.total_bytes * deployment.replicas)
    most = min(brief.cores, usable_cores())
    if not uses_gpu(config) and checked.cores > most:
        raise UsageError(
            f"{deployment.replicas} replicas of {config.threads} threads take {checked.cores} cores",
            f"the brief has {brief.cores}, and this process may use {usable_cores()}",
            "fewer replicas, or fewer threads",
        )
    if checked.need_bytes > brief.memory_gb * 1e9:
        raise MissingError(
            f"the deployment does not fit: it would need {checked.need_bytes / 1e9:.2f} GB, "
            f"and the brief gives {brief.memory_gb:g} GB",
            f"each replica: {need}; KV cache for {config.max_num_seqs} sequences of {config.max_model_len} tokens",
            "a smaller max_model_len, fewer max_num_seqs, or fewer replicas",
        )
    memory.require_fit(config, need, memory.host_memory())
    return checked


def require_offered(deployment: Deployment, brief: Brief) -> None:
    """Raises UsageError for an engine or a model that the brief does not offer."""
    registry.require_name(deployment.engine)
    choices = (("engine", deployment.engine, brief.engines), ("model", deployment.model, brief.models))
    for what, value, offered in choices:
        if value not in offered:
            raise UsageError(
                f"the brief {brief.name} does not offer the {what} {value!r}{close_match(value, offered)}",
                f"to choose from: {', '.join(offered)}",
            )


def _require_room(config: ServeConfig, brief: Brief) -> None:
    load = brief.load
    longest = load.preamble_tokens + load.own_tokens + TEMPLATE_TOKENS + load.output_tokens
    if config.max_model_len is not None and config.max_model_len < longest:
        raise UsageError(
            f"max_model_len={config.max_model_len} is too short for the brief",
            f"a request takes up to {longest} tokens, prompt and answer",
            f"max_model_len={longest}",
        )


def _make(kind: Any, options: Any, what: str) -> Any:
    """Build a value, with unknown and missing names as errors a person can act on."""
    if isinstance(options, kind):
        return options
    if not isinstance(options, Mapping):
        raise UsageError(f"{what} must be a table, not {options!r}")
    known = [f.name for f in fields(kind)]
    for name in options:
        if name not in known:
            raise UsageError(
                f"there is no {what} option {name!r}{close_match(name, known)}", f"the options are {', '.join(known)}"
            )
    try:
        return kind(**options)
    except TypeError as error:
        raise UsageError(f"the {what} is not whole", str(error)) from error
