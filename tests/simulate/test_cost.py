import pytest

from helpers.bench.published import device as published_device
from helpers.errors import UsageError
from helpers.simulate.architectures import architecture
from helpers.simulate.cost import decode_load, make_layout, piece_load, sequence_bytes, step_terms, weight_bytes
from helpers.simulate.devices import published_devices, require_known

GB10 = published_devices()["gb10"]


def test_the_spark_is_the_one_of_the_published_limits() -> None:
    limits = published_device("gb10")
    assert GB10.bandwidth_bytes_per_s == limits.bandwidth_bytes_per_s
    assert {name: GB10.flops_per_s[name] for name in limits.flops_per_s} == {
        name: high for name, (_, high) in limits.flops_per_s.items()
    }


@pytest.mark.parametrize(
    ("model", "quantization", "engine", "gigabytes"),
    [
        ("gpt-oss-20b", "mxfp4", "llama.cpp", 12.1),  # 11.27 GiB in llama.cpp's table
        ("gpt-oss-120b", "mxfp4", "llama.cpp", 63.4),  # 59.02 GiB
        ("gpt-oss-20b", "mxfp4", "ollama", 13.8),  # the size of the checkpoint on the hub
        ("qwen3-coder-30b-a3b", "q8_0", "llama.cpp", 32.5),  # 30.25 GiB
        ("qwen2.5-coder-7b", "q8_0", "llama.cpp", 8.1),  # 7.54 GiB
        ("llama-3.1-8b", "bf16", "vllm", 16.1),
    ],
)
def test_weights_are_as_large_as_the_files(model: str, quantization: str, engine: str, gigabytes: float) -> None:
    made = architecture(model)
    assert weight_bytes(made, make_layout(made, quantization, engine)) / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_a_decode_step_reads_weights_once_and_every_context() -> None:
    model = architecture("llama-3.1-8b")
    layout = make_layout(model, "bf16", "vllm")
    one, two = (step_terms(model, layout, GB10, decode_load(batch, 1000, 0)) for batch in (1, 2))
    context_bytes = 2 * 32 * 8 * 128 * 2 * 1001  # 1,000 read, one written
    assert (two.memory_s - one.memory_s) * 273e9 == pytest.approx(context_bytes)
    assert (one.memory_s * 273e9 - context_bytes) == pytest.approx(2 * model.active_parameters)
    assert two.dense_s == pytest.approx(2 * one.dense_s)


def test_a_window_bounds_what_is_read() -> None:
    model = architecture("gpt-oss-20b")
    short, long = piece_load(model, 100, 1, logits=1), piece_load(model, 10_000, 1, logits=1)
    assert (short.reads, short.window_reads) == (101, 101)
    assert (long.reads, long.window_reads, long.window_scores) == (10_001, 128, 128)


def test_the_pieces_of_a_prompt_attend_like_the_whole() -> None:
    model = architecture("gpt-oss-20b")
    whole = piece_load(model, 0, 300, logits=1)
    pieces = [
        piece_load(model, 0, 100, logits=0),
        piece_load(model, 100, 30, logits=0),
        piece_load(model, 130, 170, logits=1),
    ]
    assert whole.scores == sum(piece.scores for piece in pieces) == 300 * 301 / 2
    # Each position sees itself and the 127 before it.
    assert (
        whole.window_scores == sum(piece.window_scores for piece in pieces) == sum(min(i, 128) for i in range(1, 301))
    )


def test_two_devices_halve_the_work_and_talk() -> None:
    model = architecture("llama-3.1-70b")
    layout = make_layout(model, "fp8", "vllm")
    one, two = (step_terms(model, layout, GB10, decode_load(1, 100, 0), parallel=count) for count in (1, 2))
    assert two.memory_s == pytest.approx(one.memory_s / 2)
    assert (one.reduces, two.reduces) == (0, 160)
    assert two.reduce_s == pytest.approx(160 * 8192 * 2 / 25e9)


def test_recurrent_state_is_kept_and_moved_for_each_sequence() -> None:
    model = architecture("nemotron-3-super-120b-a12b")
    layout = make_layout(model, "nvfp4", "vllm")
    # 2 MiB... of 40 layers in half precision; kept here in float32: 128 heads * 64 * 128 * 4 bytes * 40.
    assert sequence_bytes(model, layout, 0) == 128 * 64 * 128 * 4 * 40
    assert sequence_bytes(model, layout, 10) - sequence_bytes(model, layout, 0) == 10 * 8 * 2 * 2 * 128 * 2


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="int3"):
        make_layout(architecture("qwen3-8b"), "int3", "vllm")
    with pytest.raises(UsageError, match="unknown device 'b200'"):
        require_known("b200")
