import json
from pathlib import Path

import pytest

from helpers.bench.plots_cause import RooflinePoint
from helpers.bench.roofline import decode_step, prefill_step
from helpers.bench.steps import decode_points, model_shape, prefill_points
from helpers.errors import MissingError
from tests.bench.samples import make_run
from tests.bench.test_cause import SHAPE
from tests.bench.test_roofline import LLAMA_8B


def test_a_decode_point_is_the_median_gap_beside_the_step_of_that_batch() -> None:
    [point] = decode_points([make_run(precision="q8_0", concurrency=4, input_tokens=128, output_tokens=16)], SHAPE)
    assert point.label == "llama.cpp q8_0, batch 4, 136 tokens"
    assert point.cost == decode_step(SHAPE, "q8_0", batch=4, context_tokens=136)
    assert point.step_s == pytest.approx(0.02 * 1.04)  # the rule's middle request


def test_streams_beyond_the_slots_make_no_larger_batch() -> None:
    [point] = decode_points([make_run(concurrency=16)], SHAPE, slots=8)
    assert point.cost.tokens == 8


def test_a_prefill_point_needs_one_stream_and_one_length() -> None:
    runs = [make_run(input_tokens=300), make_run(concurrency=4), make_run(error="HTTP 500: broken")]
    [point] = prefill_points(runs, SHAPE)
    assert point.cost == prefill_step(SHAPE, "f32", prompt_tokens=300)


def test_invalid_runs_give_no_points() -> None:
    assert decode_points([make_run(error="HTTP 500: broken")], SHAPE) == []


def test_a_roofline_point_is_a_steps_work_over_its_time() -> None:
    [point] = decode_points([make_run()], SHAPE)
    drawn = RooflinePoint.of(point)
    assert drawn.flops_per_byte == point.cost.intensity
    assert drawn.flops_per_s == point.cost.flops / point.step_s


def test_a_shape_is_read_from_the_models_directory(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    assert model_shape(str(tmp_path)).layers == 32
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(MissingError, match="cannot be read"):
        model_shape(str(tmp_path))


def test_the_shape_of_a_downloaded_model_is_its_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(MissingError, match=r"(?s)qwen3-8b is not downloaded.*prefetch"):
        model_shape("qwen3-8b")
    snapshot = tmp_path / "hub" / "models--Qwen--Qwen3-8B" / "snapshots" / "b968826d9c46dd6066d109eabc6255188de91218"
    snapshot.mkdir(parents=True)
    sizes = {"num_hidden_layers": 36, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8}
    sizes |= {"head_dim": 128, "intermediate_size": 12288, "vocab_size": 151936}
    (snapshot / "config.json").write_text(json.dumps(sizes))
    assert model_shape("qwen3-8b").parameters == pytest.approx(8.19e9, rel=0.001)
