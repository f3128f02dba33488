"""An EAGLE-3 head on disk: its shape, its tensors, and the padded form for the heavy variant.

What the engines want, read in their sources:

- vLLM 0.32 (model_executor/models/llama_eagle3.py): architecture `LlamaForCausalLMEagle3`, the layer named
  `midlayer`, the fused features' norm `hidden_norm`, and `eagle_aux_hidden_state_layer_ids`: the state with id i is the
  input of layer i. The defaults (2, n // 2, n - 3) are the same layer twice where a target has six layers, so the ids
  are always written. A head without embedding and `lm_head` gets the target's. `draft_vocab_size` is absent and there
  is no `d2t` tensor, since the head speaks the target's whole vocabulary. The residual is the feature before its norm.
- llama.cpp of the pinned wheel (src/models/eagle3.cpp): architecture `eagle3`, exactly three `target_layers`, counted
  the same way; `fc`, `attn_norm_2` for the fused features; embedding and output are the target's where absent.
- Both put the pair (token p + 1, feature of p) at position p, and feed the head's output before its last norm back.
"""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import MissingError, UsageError
from helpers.models.checkpoint import Floats, read_config, read_json, read_tensors, write_bfloat16
from helpers.models.heavy import WIDTH_FACTOR, pad, pad_norm

FEATURE_COUNT = 3
ARCHITECTURE = "LlamaForCausalLMEagle3"


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The shape of a head; `width` is its own, `target_width` that of the states it reads."""

    vocabulary_size: int
    width: int
    target_width: int
    feature_layers: tuple[int, ...]
    heads: int
    kv_heads: int
    head_size: int
    intermediate_size: int
    context_length: int
    rope_theta: float
    norm_epsilon: float

    @property
    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Tensor name -> shape (outputs, inputs), in the order a step reads them."""
        query, key = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "fc.weight": (self.width, FEATURE_COUNT * self.target_width),
            "midlayer.input_layernorm.weight": (self.width,),
            "midlayer.hidden_norm.weight": (self.width,),
            "midlayer.self_attn.q_proj.weight": (query, 2 * self.width),
            "midlayer.self_attn.k_proj.weight": (key, 2 * self.width),
            "midlayer.self_attn.v_proj.weight": (key, 2 * self.width),
            "midlayer.self_attn.o_proj.weight": (self.width, query),
            "midlayer.post_attention_layernorm.weight": (self.width,),
            "midlayer.mlp.gate_proj.weight": (self.intermediate_size, self.width),
            "midlayer.mlp.up_proj.weight": (self.intermediate_size, self.width),
            "midlayer.mlp.down_proj.weight": (self.width, self.intermediate_size),
            "norm.weight": (self.width,),
        }

    @property
    def parameters(self) -> int:
        """Number of weights, without the embedding and output that are the target's."""
        total = 0
        for shape in self.tensor_shapes.values():
            total += shape[0] * (shape[1] if len(shape) == 2 else 1)
        return total

    def make_hf_config(self) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "architectures": [ARCHITECTURE],
            "model_type": "llama",
            "vocab_size": self.vocabulary_size,
            "hidden_size": self.width,
            "target_hidden_size": self.target_width,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": 1,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_size,
            "hidden_act": "silu",
            "max_position_embeddings": self.context_length,
            "rms_norm_eps": self.norm_epsilon,
            "rope_theta": self.rope_theta,
            "rope_scaling": None,
            "tie_word_embeddings": False,
            "attention_bias": False,
            "mlp_bias": False,
            "eagle_aux_hidden_state_layer_ids": list(self.feature_layers),
            "torch_dtype": "bfloat16",
        }


def is_head(directory: Path) -> bool:
    """Whether a directory holds an EAGLE-3 head in this layout."""
    if not (directory / "config.json").is_file():
        return False
    return read_json(directory, "config.json").get("architectures") == [ARCHITECTURE]


def read_head_config(directory: Path) -> HeadConfig:
    """Read a head's config.json.

    Raises:
        MissingError: the file is missing or damaged.
        UsageError: it is no head in this layout, or one with a vocabulary of its own.
    """
    raw = read_json(directory, "config.json")
    if raw.get("architectures") != [ARCHITECTURE]:
        raise UsageError(
            f"{directory} is no EAGLE-3 head: it holds {raw.get('architectures')}",
            f"speculation eagle3 needs a head of architecture {ARCHITECTURE}, trained for the very target",
            "take the head of the catalogue, or speculation='draft' for a whole draft model",
        )
    try:
        layers = tuple(int(layer) for layer in raw["eagle_aux_hidden_state_layer_ids"])
        if len(layers) != FEATURE_COUNT or raw.get("draft_vocab_size", raw["vocab_size"]) != raw["vocab_size"]:
            raise UsageError(
                f"{directory} is a head that is not read here",
                f"{len(layers)} feature layers of {FEATURE_COUNT}, or a vocabulary that is a part of the target's",
                "serve it with vLLM or SGLang",
            )
        return HeadConfig(
            vocabulary_size=int(raw["vocab_size"]),
            width=int(raw["hidden_size"]),
            target_width=int(raw.get("target_hidden_size") or raw["hidden_size"]),
            feature_layers=layers,
            heads=int(raw["num_attention_heads"]),
            kv_heads=int(raw["num_key_value_heads"]),
            head_size=int(raw["head_dim"]),
            intermediate_size=int(raw["intermediate_size"]),
            context_length=int(raw["max_position_embeddings"]),
            rope_theta=float(raw["rope_theta"]),
            norm_epsilon=float(raw["rms_norm_eps"]),
        )
    except KeyError as error:
        raise MissingError(f"{directory}/config.json has no {error}", "not the config of an EAGLE-3 head") from None


def read_head_tensors(directory: Path, config: HeadConfig) -> dict[str, Floats]:
    """A head's weights as float32, by name, checked against the shape.

    Raises:
        MissingError: a tensor is missing or has another shape.
    """
    stored = read_tensors(directory)
    for name, shape in config.tensor_shapes.items():
        found = stored[name].shape if name in stored else None
        if found != shape:
            raise MissingError(
                f"{directory}: tensor {name} " + ("is missing" if found is None else f"has shape {found}, not {shape}"),
                "config.json and the weights do not belong together",
                "fetch the head again",
            )
    return {name: stored[name].read() for name in config.tensor_shapes}


def require_fit(config: HeadConfig, target: Path) -> None:
    """Refuse a head that was made for another target (UsageError)."""
    wanted = read_config(target)
    found = (config.vocabulary_size, config.target_width, max(config.feature_layers) <= wanted.layers)
    if found != (wanted.vocabulary_size, wanted.width, True):
        raise UsageError(
            f"the head does not fit {target.name}",
            f"it reads states of width {config.target_width} before layers {config.feature_layers} and speaks "
            f"{config.vocabulary_size} tokens; the model has width {wanted.width}, {wanted.layers} layers and "
            f"{wanted.vocabulary_size} tokens",
            "a head is trained for one model: take the one that belongs to it",
        )


def heavy_head_config(config: HeadConfig) -> HeadConfig:
    """The shape padded to read the heavy variant's states: both widths grow, heads and intermediate size do not.

    A real head is about a twentieth of its target. So is this one; grown in all sizes it would be a tenth.
    """
    return dataclasses.replace(
        config,
        width=config.width * WIDTH_FACTOR,
        target_width=config.target_width * WIDTH_FACTOR,
        norm_epsilon=config.norm_epsilon / WIDTH_FACTOR,
    )


def write_heavy_head(source: Path, target: Path) -> None:
    """Write the padded head as a directory; why it computes the same is said in `helpers.models.heavy`.

    Args:
        source: the head to pad.
        target: an existing directory to write into.
    """
    original = read_head_config(source)
    config = heavy_head_config(original)
    tensors = read_head_tensors(source, original)
    shapes = config.tensor_shapes
    # These read several states side by side, and each grows at its own end.
    side_by_side = {"fc": FEATURE_COUNT, "q_proj": 2, "k_proj": 2, "v_proj": 2}

    def padded(name: str) -> Floats:
        values = tensors[name]
        if values.ndim == 1:
            return pad_norm(values, config.width)
        return pad(values, shapes[name], side_by_side.get(name.split(".")[-2], 1))

    write_bfloat16(target / "model.safetensors", shapes, padded)
    raw = config.make_hf_config() | {"padded_with_zeros_from": {"hidden_size": original.width}}
    (target / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    for path in source.glob("*.json"):
        if path.name != "config.json":
            shutil.copyfile(path, target / path.name)
