"""Export an EAGLE-3 head to GGUF, as the llama.cpp in the pinned wheel loads it (architecture `eagle3`).

The keys `eagle3.target_layers` and `eagle3.target_hidden_size` and the tensors `fc` and `attn_norm_2` are what sets it
apart from a Llama layer; token embedding and output matrix are left out, so llama.cpp takes the target's. The
vocabulary is the target's and has to be in the file all the same. Rotary pairs change places as in `gguf.py`.
"""

from pathlib import Path

import gguf

from helpers.models.checkpoint import Floats
from helpers.models.eagle import read_head_config, read_head_tensors
from helpers.models.gguf import LAYER_NAMES, PRECISIONS, add_vocabulary, neighbour_pairs, require_precision
from helpers.models.vocabulary import read_vocabulary

ARCHITECTURE = "eagle3"
OUTER_NAMES = {"fc.weight": "fc.weight", "norm.weight": "output_norm.weight"}


def export_head(directory: Path, target: Path, precision: str, name: str) -> None:
    """Write a head as one GGUF file.

    Args:
        directory: the head, with the tokenizer's files of its target.
        target: the file to write.
        precision: f32, bf16, f16 or q8_0; norms stay float32.
        name: the head's name inside the file.

    Raises:
        MissingError: a file or a tensor is missing or damaged.
        UsageError: the precision or the head cannot be exported.
    """
    require_precision(precision)
    config = read_head_config(directory)
    tensors = read_head_tensors(directory, config)
    vocabulary = read_vocabulary(directory, config.vocabulary_size)
    file_type, matrix_type = PRECISIONS[precision]
    writer = gguf.GGUFWriter(target, ARCHITECTURE)
    try:
        writer.add_name(name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        writer.add_vocab_size(config.vocabulary_size)
        writer.add_context_length(config.context_length)
        writer.add_embedding_length(config.width)
        writer.add_block_count(1)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.heads)
        writer.add_head_count_kv(config.kv_heads)
        writer.add_key_length(config.head_size)
        writer.add_value_length(config.head_size)
        writer.add_rope_dimension_count(config.head_size)
        writer.add_rope_freq_base(config.rope_theta)
        writer.add_layer_norm_rms_eps(config.norm_epsilon)
        writer.add_array(f"{ARCHITECTURE}.target_layers", list(config.feature_layers))
        writer.add_uint32(f"{ARCHITECTURE}.target_hidden_size", config.target_width)
        add_vocabulary(writer, vocabulary)
        for tensor_name, values in tensors.items():
            tensor_type = matrix_type if values.ndim == 2 else gguf.GGMLQuantizationType.F32
            arranged = _arrange(tensor_name, values, config.heads, config.kv_heads)
            writer.add_tensor(_gguf_name(tensor_name), gguf.quantize(arranged, tensor_type), raw_dtype=tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _arrange(name: str, values: Floats, heads: int, kv_heads: int) -> Floats:
    if name.endswith("q_proj.weight"):
        return neighbour_pairs(values, heads)
    if name.endswith("k_proj.weight"):
        return neighbour_pairs(values, kv_heads)
    return values


def _gguf_name(name: str) -> str:
    if name in OUTER_NAMES:
        return OUTER_NAMES[name]
    part = name.removeprefix("midlayer.").removesuffix(".weight")
    return f"blk.0.{'attn_norm_2' if part == 'hidden_norm' else LAYER_NAMES[part]}.weight"
