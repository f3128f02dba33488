"""Export a Llama checkpoint (Hugging Face layout) to GGUF, the file format of llama.cpp, without torch.

What llama.cpp expects, and what is done about it here (llama.cpp's convert_hf_to_gguf.py, LlamaModel):

- rotary pairs: it rotates neighbours (2i, 2i+1), Hugging Face rotates (i, i + half), so the rows of the query and
  key projections change places;
- norms stay float32 in every precision, since they are a vanishing part of the size and sensitive;
- a byte-level BPE tokenizer is named by `tokenizer.ggml.pre`: `gpt-2` is the split pattern of GPT-2. A missing
  name only warns but splits differently, so it is always written;
- the chat template travels in the file; without one llama.cpp would silently take ChatML.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from helpers.errors import MissingError, UsageError
from helpers.models.checkpoint import Floats, LlamaConfig, StoredTensor, read_config, read_tensors
from helpers.models.vocabulary import Vocabulary, read_vocabulary

PRECISIONS: dict[str, tuple[gguf.LlamaFileType, gguf.GGMLQuantizationType]] = {
    "f32": (gguf.LlamaFileType.ALL_F32, gguf.GGMLQuantizationType.F32),
    "bf16": (gguf.LlamaFileType.MOSTLY_BF16, gguf.GGMLQuantizationType.BF16),
    "f16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "q8_0": (gguf.LlamaFileType.MOSTLY_Q8_0, gguf.GGMLQuantizationType.Q8_0),
}
"""Precision -> what the file says of itself, and the type of its matrices."""

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def export(directory: Path, target: Path, precision: str, name: str) -> None:
    """Write the checkpoint as one GGUF file.

    Args:
        directory: a Llama checkpoint in Hugging Face layout.
        target: the file to write; overwritten if it is there, incomplete if the export fails.
        precision: f32, bf16, f16 or q8_0.
        name: the model's name inside the file (`general.name`).

    Raises:
        MissingError: a file or a tensor is missing or damaged.
        UsageError: the precision, architecture or tokenizer cannot be exported.
    """
    require_precision(precision)
    config = read_config(directory)
    tensors = _checked_tensors(directory, config)
    if precision == "q8_0":
        _require_whole_blocks(config)
    vocabulary = read_vocabulary(directory, config.vocabulary_size)
    file_type, matrix_type = PRECISIONS[precision]
    writer = gguf.GGUFWriter(target, "llama")
    try:
        writer.add_name(name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_shape(writer, config)
        add_vocabulary(writer, vocabulary)
        for tensor_name, shape in config.tensor_shapes.items():
            tensor_type = matrix_type if len(shape) == 2 else gguf.GGMLQuantizationType.F32
            block, block_bytes = gguf.GGML_QUANT_SIZES[tensor_type]
            bytes_stored = int(np.prod(shape)) // block * block_bytes
            stored_name = gguf_name(tensor_name)
            writer.add_tensor_info(stored_name, shape, np.dtype(np.float32), bytes_stored, raw_dtype=tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for values in _arranged(config, tensors):
            tensor_type = matrix_type if values.ndim == 2 else gguf.GGMLQuantizationType.F32
            writer.write_tensor_data(gguf.quantize(values, tensor_type))
    finally:
        writer.close()


def require_precision(precision: str) -> None:
    """Refuse a precision that cannot be exported (UsageError)."""
    if precision not in PRECISIONS:
        raise UsageError(f"no precision {precision!r} for GGUF", f"there are {', '.join(PRECISIONS)}")


def stored_precision(path: Path) -> str:
    """What a GGUF file says it holds, in the course's words: f32, bf16, f16, q8_0, q4_k_m, ...

    Raises:
        MissingError: the file is no GGUF file, or is damaged.
    """
    try:
        field = gguf.GGUFReader(path).get_field("general.file_type")
        return "unknown" if field is None else gguf.LlamaFileType(field.contents()).name.partition("_")[2].lower()
    except (ValueError, IndexError, OSError, KeyError) as error:
        raise MissingError(f"{path} cannot be read as GGUF: {error}", "a damaged or incomplete file") from error


def gguf_name(tensor_name: str) -> str:
    """The GGUF name of a Hugging Face tensor, e.g. model.layers.3.mlp.up_proj.weight -> blk.3.ffn_up.weight."""
    if tensor_name in OUTER_NAMES:
        return OUTER_NAMES[tensor_name]
    _, _, layer, part = tensor_name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[part]}.weight"


def neighbour_pairs(projection: Floats, heads: int) -> Floats:
    """Reorder the rows of a query or key projection from rotary pairs (i, i + half) to (2i, 2i + 1).

    Args:
        projection: (heads * head_size, width).
        heads: number of query or of KV heads.
    """
    rows, width = projection.shape
    halves = projection.reshape(heads, 2, rows // heads // 2, width)
    return halves.swapaxes(1, 2).reshape(rows, width)


def _arranged(config: LlamaConfig, tensors: dict[str, StoredTensor]) -> Iterator[Floats]:
    for name in config.tensor_shapes:
        values = tensors[name].read()
        if name.endswith("q_proj.weight"):
            values = neighbour_pairs(values, config.heads)
        elif name.endswith("k_proj.weight"):
            values = neighbour_pairs(values, config.kv_heads)
        yield values


def _checked_tensors(directory: Path, config: LlamaConfig) -> dict[str, StoredTensor]:
    tensors = read_tensors(directory)
    for name, shape in config.tensor_shapes.items():
        found = tensors[name].shape if name in tensors else None
        if found != shape:
            raise MissingError(
                f"{directory}: tensor {name} " + ("is missing" if found is None else f"has shape {found}, not {shape}"),
                "config.json and the weights do not belong together, or a weights file is missing",
                "fetch the whole model again",
            )
    return tensors


def _require_whole_blocks(config: LlamaConfig) -> None:
    block, _ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType.Q8_0]
    for name, shape in config.tensor_shapes.items():
        if len(shape) == 2 and shape[1] % block:
            raise UsageError(
                f"q8_0 cannot hold {name}: its rows have {shape[1]} elements",
                f"q8_0 stores blocks of {block}, so row lengths must be divisible by {block}",
                "use f16",
            )


def _add_shape(writer: gguf.GGUFWriter, config: LlamaConfig) -> None:
    writer.add_vocab_size(config.vocabulary_size)
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_dimension_count(config.head_size)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    """The tokenizer's entries of a GGUF file."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.end_id)
    writer.add_bos_token_id(vocabulary.begin_id)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(vocabulary.chat_template)
