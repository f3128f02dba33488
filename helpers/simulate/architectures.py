"""What a model weighs: its matrices by kind, its KV cache and its state, from the sizes in a config.json."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.bench.roofline import ModelShape
from helpers.errors import MissingError, UsageError
from helpers.models import catalogue, hub
from helpers.models.prefetch import hub_folder

FILE = Path(__file__).with_name("architectures.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes that a step's bytes and FLOPs follow from; parameters are those of matrices.

    Attributes:
        source: where the sizes come from.
        context_length: positions the model was made for.
        layers: all of them, whatever their kind.
        body_parameters: what every token goes through: attention, dense and shared matrices; not the head.
        expert_parameters: of one expert, over all layers that have experts; 0 for a dense model.
        full_layers, window_layers: attention over the whole context, and over the last `window` positions only.
        state_values: values of recurrent state that a sequence keeps, whatever its length (Mamba layers).
    """

    id: str
    source: str
    context_length: int
    layers: int
    hidden: int
    vocabulary: int
    tied: bool
    body_parameters: int
    experts: int
    experts_per_token: int
    expert_parameters: int
    heads: int
    kv_heads: int
    head_size: int
    full_layers: int
    window_layers: int = 0
    window: int = 0
    state_values: int = 0

    @property
    def head_parameters(self) -> int:
        """The output head; the embedding table has as many."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All matrices."""
        return (
            self.body_parameters
            + self.experts * self.expert_parameters
            + self.head_parameters * (1 if self.tied else 2)
        )

    @property
    def active_parameters(self) -> int:
        """What one token is multiplied with, head included."""
        return self.body_parameters + self.experts_per_token * self.expert_parameters + self.head_parameters

    @property
    def kv_values_per_layer(self) -> int:
        """Key and value numbers of one position in one attention layer."""
        return 2 * self.kv_heads * self.head_size

    def kv_values(self, tokens: int) -> int:
        """Key and value numbers that a sequence of so many tokens keeps."""
        kept = self.full_layers * tokens + self.window_layers * min(tokens, self.window)
        return kept * self.kv_values_per_layer

    def touched_experts(self, tokens: int) -> float:
        """Experts of a layer that at least one of so many tokens chose, drawn evenly: E * (1 - (1 - k / E) ** tokens).

        Real routers are less even than that; published batches read up to a quarter less.
        """
        return self.experts * (1 - (1 - self.experts_per_token / self.experts) ** tokens)


@cache
def known_architectures() -> dict[str, Architecture]:
    """Those of the file, by id."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {name: from_config(name, row["config"], row["source"]) for name, row in table.items()}


def architecture(model: str) -> Architecture:
    """The architecture of a model.

    Args:
        model: an id of the course's list, a hub id of the catalogue or one that is downloaded, the path of a
            config.json or of the directory that holds one.

    Raises:
        UsageError: unknown model, or layers of a kind that is not known here. MissingError: no such file.
    """
    known = known_architectures()
    if model in known:
        return known[model]
    for entry in hub.models().values():
        if model in entry.repositories.values():
            return known[entry.id]
    if model in catalogue.entries():
        return _read(model, catalogue.resolve(model).directory / "config.json")
    path = Path(model).expanduser()
    if path.is_dir():
        return _read(path.resolve().name, path / "config.json")
    if path.suffix == ".json":
        return _read(path.resolve().parent.name, path)
    downloaded = sorted(hub_folder().glob(f"models--{model.replace('/', '--')}/snapshots/*/config.json"))
    if downloaded:
        return _read(model, downloaded[-1])
    raise UsageError(
        f"unknown model {model!r}",
        f"known are {', '.join([*catalogue.entries(), *hub.models()])}; or the path of any config.json",
        "./course simulate --model llama-3.1-8b",
    )


def from_config(name: str, config: Mapping[str, Any], source: str) -> Architecture:
    """Read a Hugging Face config.json: the Llama family with or without experts and windows, or Nemotron-H.

    Raises:
        UsageError: a size is missing or no size, or a layer is of a kind that is not known here.
    """
    text = config.get("text_config") or config
    try:
        read = _hybrid if "hybrid_override_pattern" in text else _transformer
        made = read(name, text, source)
    except KeyError as missing:
        raise UsageError(
            f"the config of {name} has no {missing}", "its layers are of a kind not known here"
        ) from missing
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"the config of {name} holds a size that is none", str(error)) from error
    if min(made.layers, made.hidden, made.vocabulary, made.heads, made.kv_heads, made.head_size) < 1:
        raise UsageError(f"the config of {name} holds a size below 1", "layers, widths and heads must be at least 1")
    return made


def _read(name: str, path: Path) -> Architecture:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(f"there is no {path}", "a model's sizes stand in its config.json") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", str(error)) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} holds no JSON object", "a model's sizes stand in its config.json")
    return from_config(name, config, str(path))


def _transformer(name: str, config: Mapping[str, Any], source: str) -> Architecture:
    if config.get("kv_lora_rank"):
        raise UsageError(f"{name} compresses its keys and values (MLA)", "that kind of attention is not known here")
    experts = config.get("num_experts") or config.get("num_local_experts") or config.get("n_routed_experts")
    shape = ModelShape.from_config({**config, "num_experts": experts})
    sparse = _expert_layers(config, shape)
    dense = (shape.layers - sparse) * 3 * shape.hidden * int(config["intermediate_size"])
    shared = int(
        config.get("shared_expert_intermediate_size")
        or int(config.get("n_shared_experts") or 0) * int(config.get("moe_intermediate_size") or 0)
    )
    router = sparse * shape.hidden * (shape.experts + 3 * shared)
    windows, window = _windows(name, config, shape.layers)
    return Architecture(
        id=name,
        source=source,
        context_length=int(config.get("max_position_embeddings") or 2048),
        layers=shape.layers,
        hidden=shape.hidden,
        vocabulary=shape.vocabulary,
        tied=shape.tied,
        body_parameters=shape.attention_parameters + dense + router,
        experts=shape.experts,
        experts_per_token=shape.experts_per_token,
        expert_parameters=sparse * 3 * shape.hidden * shape.intermediate,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        full_layers=shape.layers - windows,
        window_layers=windows,
        window=window,
    )


def _expert_layers(config: Mapping[str, Any], shape: ModelShape) -> int:
    if shape.experts == 1:
        return 0
    first, every = int(config.get("first_k_dense_replace") or 0), int(config.get("decoder_sparse_step") or 1)
    dense = set(config.get("mlp_only_layers") or ())
    return sum(index >= first and (index + 1) % every == 0 and index not in dense for index in range(shape.layers))


def _windows(name: str, config: Mapping[str, Any], layers: int) -> tuple[int, int]:
    """How many layers see only the last so many positions."""
    kinds = list(config.get("layer_types") or ())
    unknown = set(kinds) - {"full_attention", "sliding_attention"}
    if unknown:
        raise UsageError(f"{name} has layers of kind {', '.join(sorted(unknown))}", "their cost is not known here")
    window = int(config.get("sliding_window") or 0)
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    if kinds:
        return kinds.count("sliding_attention"), window
    pattern = int(config.get("sliding_window_pattern") or 0)
    return layers - layers // pattern if pattern else layers, window


def _hybrid(name: str, config: Mapping[str, Any], source: str) -> Architecture:
    """Nemotron-H: M a Mamba-2 layer, * attention, E experts (up and down, no gate), - a dense layer likewise."""
    pattern = str(config["hybrid_override_pattern"])
    unknown = set(pattern) - set("M*E-")
    if unknown:
        raise UsageError(f"{name} has layers of kind {', '.join(sorted(unknown))}", "their cost is not known here")
    mamba, attention, sparse, dense = (pattern.count(kind) for kind in "M*E-")
    hidden = int(config["hidden_size"])
    heads, kv_heads, head_size = (
        int(config[key]) for key in ("num_attention_heads", "num_key_value_heads", "head_dim")
    )
    mamba_heads, mamba_head, state = (
        int(config[key]) for key in ("mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    )
    inner, groups = mamba_heads * mamba_head, int(config["n_groups"])
    mamba_matrices = hidden * (2 * inner + 2 * groups * state + mamba_heads) + inner * hidden
    body = mamba * mamba_matrices + attention * hidden * head_size * 2 * (heads + kv_heads)
    if dense:
        body += dense * 2 * hidden * int(config["intermediate_size"])
    experts = int(config["n_routed_experts"]) if sparse else 1
    expert = 0
    if sparse:
        latent = int(config.get("moe_latent_size") or hidden)
        expert = sparse * 2 * latent * int(config["moe_intermediate_size"])
        shared = int(config.get("moe_shared_expert_intermediate_size") or 0)
        body += sparse * hidden * (2 * shared + experts + (2 * latent if latent != hidden else 0))
    return Architecture(
        id=name,
        source=source,
        context_length=int(config.get("max_position_embeddings") or 2048),
        layers=len(pattern),
        hidden=hidden,
        vocabulary=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
        body_parameters=body,
        experts=experts,
        experts_per_token=int(config["num_experts_per_tok"]) if sparse else 1,
        expert_parameters=expert,
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        full_layers=attention,
        state_values=mamba * inner * state,
    )
