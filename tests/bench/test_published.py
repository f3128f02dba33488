import pytest

from helpers.bench.published import computed_step, device, older_stars, published
from helpers.bench.roofline import StepCost
from helpers.errors import UsageError


def test_every_figure_names_its_source_and_is_labelled_published() -> None:
    figures = published()
    assert len(figures) >= 20
    for figure in figures:
        assert figure.origin == "published"
        assert figure.source.title
        assert figure.source.date
        assert figure.prefill_tokens_per_s or figure.decode_tokens_per_s


def test_figures_are_found_by_engine_and_model() -> None:
    [figure] = published("tensorrt-llm", "llama-3.1-8b")
    assert (figure.precision, figure.prefill_tokens_per_s, figure.decode_tokens_per_s) == ("nvfp4", 10256.9, 38.65)
    assert published("nobody") == []


def test_figures_beyond_the_chip_carry_a_doubt() -> None:
    # 2 FLOPs a parameter a token against the highest dense FP4 rate.
    assert published(model="Qwen2.5-VL-7B")[0].doubt
    assert device("gb10").flops_per_s["nvfp4"][1] < 2 * 7e9 * 65831


def test_a_step_on_a_spark_says_that_it_was_computed() -> None:
    step = computed_step(StepCost(bytes=273e9, flops=60e12, tokens=1), on=device("gb10"), precision="bf16")
    assert step.bytes_s == 1.0
    assert step.flops_s == (60 / 125, 1.0)
    assert step.bound == "memory"
    assert "computed from published limits" in step.origin


def test_an_uncertain_rate_gives_an_uncertain_bound() -> None:
    spark = device("gb10")
    assert computed_step(StepCost(0.7 * 273e9, 60e12, 1), on=spark, precision="bf16").bound == "either"
    assert computed_step(StepCost(0.1 * 273e9, 60e12, 1), on=spark, precision="bf16").bound == "arithmetic"


def test_what_is_not_published_is_refused() -> None:
    with pytest.raises(UsageError, match="h900"):
        device("h900")
    with pytest.raises(UsageError, match="f32"):
        computed_step(StepCost(1, 1, 1), on=device("gb10"), precision="f32")


def test_the_older_stars_are_those_of_its_table() -> None:
    assert older_stars()["tensorrt-llm"] == {"prefill": 5, "decode": 3}
    assert set(older_stars()) == {"ollama", "llama.cpp", "vllm", "tensorrt-llm", "sglang"}
