"""A Llama checkpoint on disk, in Hugging Face layout: its shape and its tensors, read and written without torch.

A checkpoint is a directory with `config.json`, one or more `*.safetensors` files and the tokenizer's files.
bfloat16 is read as the upper half of a float32, which is what it is.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import MissingError, UsageError

Floats = NDArray[np.float32]

STORED_TYPES: dict[str, tuple[str, int]] = {"BF16": ("<u2", 2), "F16": ("<f2", 2), "F32": ("<f4", 4)}
"""safetensors type name -> how NumPy sees the bytes, and bytes per element."""


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """The shape of a Llama-architecture model; sizes are counts of elements, not bytes."""

    vocabulary_size: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate_size: int
    context_length: int
    rope_theta: float
    norm_epsilon: float
    tied_embeddings: bool

    @property
    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Hugging Face tensor name -> shape (outputs, inputs), in the order a forward pass reads them."""
        query, key = self.heads * self.head_size, self.kv_heads * self.head_size
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary_size, self.width)}
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            shapes |= {
                prefix + "input_layernorm.weight": (self.width,),
                prefix + "self_attn.q_proj.weight": (query, self.width),
                prefix + "self_attn.k_proj.weight": (key, self.width),
                prefix + "self_attn.v_proj.weight": (key, self.width),
                prefix + "self_attn.o_proj.weight": (self.width, query),
                prefix + "post_attention_layernorm.weight": (self.width,),
                prefix + "mlp.gate_proj.weight": (self.intermediate_size, self.width),
                prefix + "mlp.up_proj.weight": (self.intermediate_size, self.width),
                prefix + "mlp.down_proj.weight": (self.width, self.intermediate_size),
            }
        shapes["model.norm.weight"] = (self.width,)
        if not self.tied_embeddings:
            shapes["lm_head.weight"] = (self.vocabulary_size, self.width)
        return shapes

    @property
    def parameters(self) -> int:
        """Number of weights; tied embeddings count once."""
        return sum(int(np.prod(shape)) for shape in self.tensor_shapes.values())

    @property
    def kv_elements_per_token(self) -> int:
        """Elements the KV cache keeps of one token: a key and a value per KV head and layer."""
        return 2 * self.layers * self.kv_heads * self.head_size


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor's bytes lie."""

    path: Path
    offset: int
    stored_type: str
    shape: tuple[int, ...]

    def read(self) -> Floats:
        """The tensor as float32, whatever its stored type (exact for all three)."""
        numpy_type, _ = STORED_TYPES[self.stored_type]
        count = int(np.prod(self.shape))
        stored = np.fromfile(self.path, dtype=numpy_type, count=count, offset=self.offset).reshape(self.shape)
        if self.stored_type == "BF16":
            return (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32)


def read_json(directory: Path, name: str) -> dict[str, Any]:
    """One JSON file of a checkpoint.

    Raises:
        MissingError: it is not there, or is not a JSON object.
    """
    path = directory / name
    if not path.is_file():
        raise MissingError(
            f"{directory} has no {name}",
            "not a model in Hugging Face layout, or an incomplete download",
            "give the directory that holds config.json, model.safetensors and tokenizer.json",
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MissingError(
            f"{path} is not JSON: {error}", "a damaged or incomplete download", "fetch it again"
        ) from None
    if not isinstance(value, dict):
        raise MissingError(f"{path} is not a JSON object", "a damaged or incomplete download", "fetch it again")
    return value


def read_config(directory: Path) -> LlamaConfig:
    """Read `config.json` (field names of transformers' LlamaConfig, versions 4 and 5).

    Raises:
        MissingError: the file is missing or damaged.
        UsageError: the architecture is not a plain Llama.
    """
    raw = read_json(directory, "config.json")
    _require_plain_llama(raw, directory)
    rope = raw.get("rope_parameters") or {}
    try:
        heads = int(raw["num_attention_heads"])
        width = int(raw["hidden_size"])
        return LlamaConfig(
            vocabulary_size=int(raw["vocab_size"]),
            width=width,
            layers=int(raw["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(raw.get("num_key_value_heads") or heads),
            head_size=int(raw.get("head_dim") or width // heads),
            intermediate_size=int(raw["intermediate_size"]),
            context_length=int(raw["max_position_embeddings"]),
            rope_theta=float(raw.get("rope_theta") or rope.get("rope_theta") or 10_000.0),
            norm_epsilon=float(raw["rms_norm_eps"]),
            tied_embeddings=bool(raw.get("tie_word_embeddings", False)),
        )
    except KeyError as error:
        raise MissingError(f"{directory}/config.json has no {error}", "not the config of a Llama model") from None
    except (TypeError, ValueError) as error:
        raise MissingError(f"{directory}/config.json has a wrong value: {error}", "a damaged file") from None


def _require_plain_llama(raw: Mapping[str, Any], directory: Path) -> None:
    architectures = raw.get("architectures") or []
    rope = raw.get("rope_scaling") or raw.get("rope_parameters") or {}
    unsupported = {
        f"architecture {architectures or raw.get('model_type')}": architectures != ["LlamaForCausalLM"],
        f"activation {raw.get('hidden_act')}": raw.get("hidden_act", "silu") != "silu",
        "attention biases": bool(raw.get("attention_bias")),
        "MLP biases": bool(raw.get("mlp_bias")),
        f"rope scaling {rope.get('rope_type')}": rope.get("rope_type", rope.get("type", "default")) != "default",
    }
    found = [name for name, is_there in unsupported.items() if is_there]
    if found:
        raise UsageError(
            f"{directory} is not a plain Llama model: {', '.join(found)}",
            "the course's exporter knows LlamaForCausalLM with SiLU, no biases and unscaled rope",
            "use a .gguf file of that model",
        )


def read_tensors(directory: Path) -> dict[str, StoredTensor]:
    """The tensors of all `*.safetensors` files in the directory, by name; no weights are read yet.

    Raises:
        MissingError: there is no such file, or one is truncated or damaged.
        UsageError: a tensor has a type other than BF16, F16, F32.
    """
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise MissingError(
            f"{directory} has no .safetensors file",
            "an incomplete download, or weights in another form (.bin)",
            "give a directory with model.safetensors",
        )
    return {name: tensor for path in files for name, tensor in _read_header(path).items()}


def _read_header(path: Path) -> dict[str, StoredTensor]:
    size = path.stat().st_size
    damaged = MissingError(f"{path} is truncated or damaged", "an interrupted copy or download", "fetch the file again")
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8 or (length := struct.unpack("<Q", start)[0]) > size - 8:
            raise damaged
        header = file.read(length)
    tensors = {}
    try:
        for name, entry in json.loads(header).items():
            if name == "__metadata__":
                continue
            stored_type, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            if stored_type not in STORED_TYPES:
                raise UsageError(
                    f"{path}: tensor {name} is {stored_type}", f"only {', '.join(STORED_TYPES)} can be read"
                )
            if 8 + length + end > size or end - begin != int(np.prod(shape)) * STORED_TYPES[stored_type][1]:
                raise damaged
            tensors[name] = StoredTensor(path, 8 + length + begin, stored_type, shape)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged from None
    return tensors


def to_bfloat16(values: Floats) -> NDArray[np.uint16]:
    """Round float32 to bfloat16 (nearest, ties to even), as its 16 bits; NaN is not expected in weights."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_bfloat16(path: Path, shapes: Mapping[str, tuple[int, ...]], read: Callable[[str], Floats]) -> None:
    """Write a safetensors file in bfloat16, one tensor in memory at a time.

    Args:
        path: the file to make.
        shapes: tensor name -> shape, in file order.
        read: gives the named tensor when its turn comes.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    # The format wants the data to begin at a multiple of 8; spaces at the header's end are allowed for that.
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for name, shape in shapes.items():
            values = read(name)
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, not {shape}")
            to_bfloat16(values).tofile(file)
