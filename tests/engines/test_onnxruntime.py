"""The engine built ahead of time among engines: its plan, what it refuses, and the same words as nano."""

from typing import Any

import pytest

import helpers
from helpers.engines import adapter as adapters
from helpers.engines import pages
from helpers.engines.onnxruntime import ADAPTER, BUILT_IN, EXTRAS
from helpers.engines.plan import ServeConfig
from helpers.engines.starting import start
from helpers.errors import EngineFailed, UsageError
from helpers.models.prompts import prompt_class
from tests.engines.greedy import greedy, undecided_at
from tests.engines.planning import plan

PROMPTS = [*prompt_class("predictable")[:4], *prompt_class("semi")[:3], *prompt_class("free")[:3]]
ANSWER_TOKENS = 32


def test_float32_answers_equal_those_of_nano() -> None:
    options: dict[str, Any] = {"max_model_len": 512, "max_num_seqs": 2}
    with helpers.launch("nano", **options) as nano, helpers.launch("onnxruntime", **options) as server:
        assert (server.precision, server.model) == ("f32", "course")
        assert "range shapes, on CPU, 1 thread" in server.backend
        for prompt in PROMPTS:
            stop = undecided_at(greedy(nano, prompt, ANSWER_TOKENS), greedy(server, prompt, ANSWER_TOKENS))
            assert stop is None, prompt
        counted = server.metrics()
        assert counted["output_tokens_total"] > len(PROMPTS)
        assert helpers.read_trace(server)


def test_the_plan_has_every_option() -> None:
    made = plan(
        "onnxruntime",
        "course",
        precision="int8",
        max_num_seqs=3,
        max_model_len=300,
        threads=1,
        prefix_caching=False,
        extra={"profile": "fixed", "max_num_batched_tokens": 64},
    )
    for option in (
        "-m helpers.aot.server --model course",
        "--precision int8",
        "--max-num-seqs 3",
        "--max-model-len 300",
        "--threads 1",
        "--no-enable-prefix-caching",
        "--profile fixed",
        "--provider cpu",
        "--max-num-batched-tokens 64",
    ):
        assert option in made.shell, option
    assert any("loaded from the cache after that" in note for note in made.notes)


def test_tensorrt_is_planned_and_says_what_it_needs() -> None:
    made = plan("onnxruntime", "course", precision="f16", extra={"provider": "tensorrt"})
    assert "--provider tensorrt" in made.shell
    assert any("NVIDIA GPU" in note and "never run" in note for note in made.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "f16"}, "provider cpu does not serve f16"),
        ({"precision": "int8", "extra": {"provider": "tensorrt"}}, "provider tensorrt does not serve int8"),
        ({"precision": "q8_0"}, "does not serve q8_0"),
        ({"max_model_len": 5000}, "trained for 4096 positions"),
        ({"speculation": "ngram"}, "no speculation 'ngram'"),
        ({"tensor_parallel": 2}, "has no tensor_parallel"),
        ({"extra": {"profile": "loose"}}, "onnxruntime's profile cannot be 'loose'"),
        ({"extra": {"profil": "fixed"}}, "did you mean profile"),
        ({"extra": {"max_num_batched_tokens": 0}}, "max_num_batched_tokens cannot be 0"),
    ],
)
def test_what_it_does_not_have_is_refused_before_it_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adapters.complete(ADAPTER, ServeConfig.build(engine="onnxruntime", **options))


def test_a_gguf_file_is_refused(tiny_gguf: Any) -> None:
    with pytest.raises(UsageError, match="onnxruntime does not read"):
        adapters.complete(ADAPTER, ServeConfig.build(engine="onnxruntime", model=str(tiny_gguf)))


def test_why_it_does_not_start_is_told_in_three_lines() -> None:
    extra = {"provider": "tensorrt"}
    config = adapters.complete(ADAPTER, ServeConfig.build(engine="onnxruntime", extra=extra))
    with pytest.raises(
        EngineFailed, match="onnxruntime: the TensorRT execution provider cannot be used here"
    ) as caught:
        start(ADAPTER, config)
    assert caught.value.cause
    assert caught.value.next_command


def test_the_adapter_and_the_builder_agree_on_what_is_built() -> None:
    from helpers.aot.providers import PROVIDERS

    assert PROVIDERS == BUILT_IN


def test_every_option_of_its_own_is_on_its_page() -> None:
    page = pages.pages()[pages.ROOT / "docs" / "engines" / "onnxruntime.md"]
    assert all(f"`{name}`" in page for name in EXTRAS)
