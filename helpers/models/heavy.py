"""The heavy variant: the same function at the memory traffic of a much larger model.

A tiny model is compute-bound on a CPU, so what bandwidth does to real models cannot be seen on it. Here every matrix
is padded with zeros to a larger width: the words stay the same, the bytes read per token do not. Why nothing changes:

- hidden states gain coordinates that are zero from the embedding on, since every output row added to a projection is 0;
- RMS norm divides by sqrt(sum(x^2) / width + eps). With the width w times as large and eps / w, the quotient grows by
  sqrt(w), and weights divided by sqrt(w) undo that. WIDTH_FACTOR is 4, so both factors are powers of two and exact;
- added attention heads have zero queries, keys, values and output columns; the group size heads / kv_heads is kept, so
  the first heads still find their own keys;
- added intermediate units give silu(0) * 0 = 0.

The zeros are written out, not left as holes: they have to cross the memory bus like any weight.
"""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np

from helpers.models.checkpoint import (
    Floats,
    LlamaConfig,
    read_config,
    read_json,
    read_tensors,
    write_bfloat16,
)

WIDTH_FACTOR = 4
ROW_MULTIPLE = 32
"""Row lengths stay divisible by this, the block size of q8_0."""


def heavy_config(config: LlamaConfig, parameters: int) -> LlamaConfig:
    """The padded shape: width and heads times WIDTH_FACTOR, intermediate size chosen to reach `parameters`."""
    wide = dataclasses.replace(
        config,
        width=config.width * WIDTH_FACTOR,
        heads=config.heads * WIDTH_FACTOR,
        kv_heads=config.kv_heads * WIDTH_FACTOR,
        norm_epsilon=config.norm_epsilon / WIDTH_FACTOR,
    )
    missing = parameters - wide.parameters
    per_unit = 3 * wide.width * wide.layers
    added = max(0, math.ceil(missing / per_unit / ROW_MULTIPLE) * ROW_MULTIPLE)
    return dataclasses.replace(wide, intermediate_size=wide.intermediate_size + added)


def pad(values: Floats, shape: tuple[int, ...], input_blocks: int = 1) -> Floats:
    """Zeros added at the end of every axis.

    Args:
        values: the tensor to enlarge.
        shape: the shape wanted, nowhere smaller.
        input_blocks: a projection that reads several hidden states laid side by side (as the heads of speculative
            decoding do) has its last axis padded within each of these equal blocks, where the padding of each lies.
    """
    if input_blocks > 1:
        blocks = np.split(values, input_blocks, axis=-1)
        block_shape = (*shape[:-1], shape[-1] // input_blocks)
        return np.concatenate([pad(block, block_shape) for block in blocks], axis=-1)
    padded = np.zeros(shape, dtype=np.float32)
    padded[tuple(slice(length) for length in values.shape)] = values
    return padded


def pad_norm(weight: Floats, width: int) -> Floats:
    """An RMS norm's weight for a padded width: rescaled so that the norm's output stays as it was."""
    return pad(weight / np.float32(math.sqrt(width / len(weight))), (width,))


def write_heavy(source: Path, target: Path, parameters: int) -> None:
    """Write the padded model as a Hugging Face directory, one tensor in memory at a time.

    Args:
        source: the checkpoint to pad.
        target: an existing directory to write into.
        parameters: how many parameters the padded model has, at least.

    Raises:
        MissingError: a file or tensor of the source is missing or damaged.
    """
    original = read_config(source)
    config = heavy_config(original, parameters)
    tensors = read_tensors(source)
    shapes = config.tensor_shapes

    def padded(name: str) -> Floats:
        values = tensors[name].read()
        return pad_norm(values, config.width) if values.ndim == 1 else pad(values, shapes[name])

    write_bfloat16(target / "model.safetensors", shapes, padded)
    raw = read_json(source, "config.json") | {
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "intermediate_size": config.intermediate_size,
        "rms_norm_eps": config.norm_epsilon,
        "torch_dtype": "bfloat16",
        "padded_with_zeros_from": {"hidden_size": original.width, "parameters": original.parameters},
    }
    (target / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    for path in sorted([*source.glob("*.json"), *source.glob("*.jinja")]):
        if path.name != "config.json":
            shutil.copyfile(path, target / path.name)
