"""nano as an engine among engines: its plan, what it refuses, and the same words as llama.cpp."""

import dataclasses
from typing import Any

import psutil
import pytest

import helpers
from helpers.engines import adapter as adapters
from helpers.engines import pages
from helpers.engines.nano import ADAPTER, EXTRAS
from helpers.engines.plan import ServeConfig
from helpers.engines.starting import start
from helpers.errors import EngineFailed, UsageError
from helpers.models.prompts import prompt_class
from tests.engines.conftest import is_gone, until
from tests.engines.greedy import greedy, undecided_at
from tests.engines.planning import plan

PROMPTS = [*prompt_class("predictable")[::3][:7], *prompt_class("semi")[:7], *prompt_class("free")[:6]]
ANSWER_TOKENS = 32


def test_float32_answers_equal_those_of_llama_cpp() -> None:
    assert len(PROMPTS) == 20
    options: dict[str, Any] = {"precision": "f32", "max_model_len": 512, "max_num_seqs": 1}
    with helpers.launch("nano", **options) as nano, helpers.launch("llama.cpp", **options) as other:
        stops = [
            undecided_at(greedy(nano, prompt, ANSWER_TOKENS), greedy(other, prompt, ANSWER_TOKENS))
            for prompt in PROMPTS
        ]
    assert sum(stop is not None for stop in stops) <= 1, stops


def test_the_plan_has_every_option_by_vllms_name() -> None:
    extra = {"kv_cache_dtype": "int8", "batching": "static", "chunked_prefill": False, "max_num_batched_tokens": 64}
    made = plan(
        "nano",
        "course",
        max_num_seqs=3,
        max_model_len=300,
        threads=1,
        tensor_parallel=2,
        prefix_caching=False,
        speculation="draft",
        draft_model="course-draft",
        draft_tokens=2,
        extra={**extra, "block_size": 8, "num_blocks": 100},
    )
    words = made.shell
    for option in (
        "--model course",
        "--max-num-seqs 3",
        "--max-model-len 300",
        "--tensor-parallel-size 2",
        "--no-enable-prefix-caching",
        "--speculation draft --num-speculative-tokens 2 --draft-model course-draft",
        "--kv-cache-dtype int8",
        "--batching static",
        "--no-enable-chunked-prefill",
        "--max-num-batched-tokens 64",
        "--block-size 8",
        "--num-blocks 100",
        "OPENBLAS_NUM_THREADS=1",
    ):
        assert option in words, option
    assert made.urls["trace"].endswith("/trace")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_model_len": 5000}, "trained for 4096 positions"),
        ({"tensor_parallel": 3}, "tensor_parallel cannot be 3"),
        ({"threads": 999}, "cores"),
        ({"precision": "q8_0"}, "does not serve q8_0"),
        ({"embeddings": True}, "has no embeddings"),
        ({"extra": {"kv_cache_dtype": "fp8"}}, "kv_cache_dtype cannot be 'fp8'"),
        ({"extra": {"block_size": 0}}, "block_size cannot be 0"),
        ({"extra": {"block_size": True}}, "block_size cannot be True"),
        ({"extra": {"chunked_prefill": 1}}, "chunked_prefill cannot be 1"),
        ({"extra": {"batchin": "static"}}, "did you mean batching"),
    ],
)
def test_what_it_does_not_have_is_refused_before_it_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adapters.complete(ADAPTER, ServeConfig.build(engine="nano", **options))


def test_a_gguf_file_is_refused(tiny_gguf: Any) -> None:
    with pytest.raises(UsageError, match="nano does not read"):
        adapters.complete(ADAPTER, ServeConfig.build(engine="nano", model=str(tiny_gguf)))


def test_why_it_does_not_start_is_told_in_its_own_three_lines() -> None:
    # The adapter would refuse it; this is what is left to the engine itself.
    config = adapters.complete(ADAPTER, ServeConfig.build(engine="nano"))
    with pytest.raises(EngineFailed, match=r"nano: max_model_len cannot be 9999") as caught:
        start(ADAPTER, dataclasses.replace(config, max_model_len=9999))
    assert caught.value.cause == "the model was trained for 4096 positions"


def test_its_workers_end_with_it() -> None:
    with helpers.launch("nano", max_model_len=256, max_num_seqs=1, tensor_parallel=2) as server:
        assert "2 processes of 1 thread" in server.backend
        assert server.chat("Hi", max_tokens=3).usage.output_tokens
        assert server.pid is not None
        (worker,) = psutil.Process(server.pid).children(recursive=True)
        psutil.Process(server.pid).kill()
        assert until(lambda: is_gone(worker.pid), 10)


def test_it_speculates_with_the_same_words() -> None:
    options: dict[str, Any] = {"max_tokens": 32, "temperature": 0}
    with helpers.launch("nano", max_model_len=512) as plain:
        expected = plain.chat(PROMPTS[0], **options).text
    with helpers.launch("nano", max_model_len=512, speculation="draft", draft_model="course-draft") as drafted:
        reply = drafted.chat(PROMPTS[0], **options)
        assert reply.text == expected
        assert reply.usage.accepted_tokens
        assert drafted.metrics()["acceptance_length"] > 1


def test_every_option_of_its_own_is_on_its_page() -> None:
    page = pages.pages()[pages.ROOT / "docs" / "engines" / "nano.md"]
    assert all(f"`{name}`" in page for name in EXTRAS)
