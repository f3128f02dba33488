import pytest

from helpers.bench.roofline import (
    ModelShape,
    decode_step,
    fraction_of_limit,
    prefill_step,
)
from helpers.engines.plan import PRECISIONS
from helpers.errors import UsageError
from helpers.models.weights import BYTES_PER_WEIGHT

LLAMA_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
QWEN3_30B_A3B = {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_attention_heads": 32,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
}


def test_parameter_counts_are_those_of_the_model_cards() -> None:
    assert ModelShape.from_config(LLAMA_8B).parameters == pytest.approx(8.03e9, rel=0.001)
    experts = ModelShape.from_config(QWEN3_30B_A3B)
    assert experts.parameters == pytest.approx(30.5e9, rel=0.005)
    # 3.3 billion active by the card, which counts the embedding look-up too.
    assert experts.active_parameters + experts.head_parameters == pytest.approx(3.3e9, rel=0.02)


def test_kv_cache_of_llama_8b_is_128_kib_a_token() -> None:
    assert ModelShape.from_config(LLAMA_8B).kv_bytes_per_token("f16") == 128 * 1024


def test_decoding_reads_the_weights_once_whatever_the_batch() -> None:
    shape = ModelShape.from_config(LLAMA_8B)
    one = decode_step(shape, "bf16", batch=1, context_tokens=0)
    many = decode_step(shape, "bf16", batch=32, context_tokens=0)
    assert one.bytes == many.bytes == 2 * (shape.parameters - shape.head_parameters)
    assert many.flops == 32 * one.flops
    assert many.intensity == pytest.approx(32 * one.intensity)


def test_context_adds_bytes_and_operations_to_each_sequence() -> None:
    shape = ModelShape.from_config(LLAMA_8B)
    short = decode_step(shape, "bf16", batch=4, context_tokens=0)
    long = decode_step(shape, "bf16", batch=4, context_tokens=1000)
    assert long.bytes - short.bytes == 4 * 1000 * 128 * 1024
    assert long.flops - short.flops == 4 * 1000 * 4 * 32 * 4096


def test_published_spark_figure_lies_below_its_decode_limit() -> None:
    # Llama-3.1-8B in FP8 at batch 1: 273 GB/s / about 7.5 GB read a token.
    cost = decode_step(ModelShape.from_config(LLAMA_8B), "fp8", batch=1, context_tokens=0)
    fraction = fraction_of_limit(20.5, cost, bandwidth_bytes_per_s=273e9, flops_per_s=125e12)
    assert fraction.bound == "memory"
    assert fraction.limit_tokens_per_s == pytest.approx(36.4, rel=0.01)
    assert 0.5 < fraction.share < 0.6


def test_prefill_is_bound_by_arithmetic_and_decode_by_memory() -> None:
    shape = ModelShape.from_config(LLAMA_8B)
    ridge = 100e12 / 273e9
    assert prefill_step(shape, "bf16", prompt_tokens=2048).intensity > ridge
    assert decode_step(shape, "bf16", batch=1, context_tokens=2048).intensity < ridge


def test_prefill_reads_the_weights_once_a_chunk() -> None:
    shape = ModelShape.from_config(LLAMA_8B)
    one = prefill_step(shape, "bf16", prompt_tokens=512)
    two = prefill_step(shape, "bf16", prompt_tokens=513)
    assert two.bytes / one.bytes == pytest.approx(2, rel=0.02)


def test_experts_are_read_as_more_tokens_choose_them() -> None:
    shape = ModelShape.from_config(QWEN3_30B_A3B)
    assert shape.read_parameters(1) == pytest.approx(shape.active_parameters)
    assert shape.read_parameters(1000) == pytest.approx(shape.parameters - shape.head_parameters)


def test_a_tied_head_is_counted_once() -> None:
    tied = ModelShape.from_config({**LLAMA_8B, "tie_word_embeddings": True})
    untied = ModelShape.from_config(LLAMA_8B)
    assert untied.parameters - tied.parameters == tied.head_parameters
    assert tied.active_parameters == untied.active_parameters


def test_unknown_precision_and_foreign_configs_are_refused() -> None:
    with pytest.raises(UsageError, match="precision 'int3'"):
        decode_step(ModelShape.from_config(LLAMA_8B), "int3", batch=1, context_tokens=1)
    with pytest.raises(UsageError, match="num_attention_heads"):
        ModelShape.from_config({"model_type": "mamba2", "hidden_size": 64})


def test_every_precision_of_the_command_line_is_known() -> None:
    assert set(BYTES_PER_WEIGHT) == set(PRECISIONS)
