"""A compiled graph under nano's engine: the same tokens as nano's own model, however the requests are laid together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.aot.build import BuiltEngine
from helpers.aot.model import CompiledModel, load_compiled
from helpers.errors import UsageError
from helpers.models.llama import load_llama
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.batch import Batch, Piece
from helpers.nano.engine import Engine, load_engine
from tests.nano.test_engine import run

RANDOM = np.random.default_rng(5)
SHARED = RANDOM.integers(3, 300, 24).tolist()
PROMPTS = [RANDOM.integers(3, 300, length).tolist() for length in (3, 21, 1, 40, 9)]
PROMPTS += [[*SHARED, *RANDOM.integers(3, 300, length).tolist()] for length in (5, 9)]
LENGTH = 16


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> list[list[int]]:
    llama = load_llama(checkpoint)
    return [list(llama.generate(prompt, LENGTH)) for prompt in PROMPTS]


def make(checkpoint: Path, model: CompiledModel, **options: Any) -> Engine:
    limits = {"max_num_seqs": 4, "max_num_batched_tokens": 48, "max_model_len": 256, "num_blocks": 64}
    return load_engine(checkpoint, loaded=model, **{**limits, **options})


@pytest.mark.parametrize("kind", ["range", "fixed"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_num_seqs": 1},
        {"max_num_batched_tokens": 7},
        {"num_blocks": 32, "max_model_len": 96},
        {"prefix_caching": False, "block_size": 16},
        {"batching": "static"},
    ],
    ids=str,
)
def test_tokens_are_those_of_the_plain_model(
    kind: str,
    options: dict[str, Any],
    checkpoint: Path,
    built: Callable[..., BuiltEngine],
    expected: list[list[int]],
) -> None:
    engine = make(checkpoint, load_compiled(built(kind)), **options)
    requests = [engine.add_request(prompt, max_tokens=LENGTH, ignore_eos=True) for prompt in PROMPTS]
    run(engine)
    assert [request.ids[request.prompt_tokens :] for request in requests] == expected


def test_who_shares_blocks_of_this_very_step_is_computed_after_who_fills_them(
    checkpoint: Path, built: Callable[..., BuiltEngine]
) -> None:
    llama = load_llama(checkpoint)
    model = load_compiled(built())
    cache = model.make_cache(16)
    first, second = PROMPTS[-1], [*SHARED, *PROMPTS[3]]
    # The longer piece would be computed first, and it is the one that has to wait.
    pieces = [Piece(second[24:], 24, [0, 1, 2, *range(8, 13)], 1), Piece(first, 0, [0, 1, 2, 3, 4], 1)]
    logits = model.forward(Batch.of(pieces, 8), cache).logits
    for found, prompt in zip(logits, (second, first), strict=True):
        np.testing.assert_allclose(found, llama.forward(prompt, llama.new_cache())[-1], atol=1e-4)


def test_a_fixed_shape_computes_what_nobody_wants(checkpoint: Path, built: Callable[..., BuiltEngine]) -> None:
    counts = {}
    for kind in ("range", "fixed"):
        model = load_compiled(built(kind))
        engine = make(checkpoint, model)
        engine.add_request(PROMPTS[1], max_tokens=5, ignore_eos=True)
        run(engine)
        counts[kind] = (model.wanted_tokens, model.computed_tokens)
    assert counts == {"range": (25, 25), "fixed": (25, 5 * 4 * 48)}


def test_int8_says_nearly_the_same(checkpoint: Path, built: Callable[..., BuiltEngine]) -> None:
    batch = Batch.of([Piece(PROMPTS[3], 0, list(range(5)), 1)], 8)
    exact, rounded = (
        model.forward(batch, model.make_cache(5)).logits
        for model in (load_compiled(built()), load_compiled(built(precision="int8")))
    )
    error = float(np.abs(exact - rounded).max() / np.abs(exact).max())
    assert 0 < error < 0.1


def test_more_than_the_shapes_take_is_refused(checkpoint: Path, built: Callable[..., BuiltEngine]) -> None:
    model = load_compiled(built())
    engine = make(checkpoint, model, max_num_batched_tokens=64)
    engine.add_request(RANDOM.integers(3, 300, 60).tolist(), max_tokens=1)
    with pytest.raises(UsageError, match="60 tokens do not fit into an engine that was built for 48"):
        engine.step()
    with pytest.raises(UsageError, match="cannot be int8"):
        model.make_cache(4, precision="int8")
    for block_size in (4, 24):
        with pytest.raises(UsageError, match=f"blocks of {block_size} tokens do not fit"):
            model.make_cache(4, block_size)


def test_logits_of_several_places_are_refused(built: Callable[..., BuiltEngine]) -> None:
    model = load_compiled(built())
    for batch, layers in ((Batch.of([Piece([5, 6], 0, [0], 2)], 8), ()), (Batch.of([Piece([5], 0, [0], 1)], 8), (1,))):
        with pytest.raises(UsageError, match="one row of logits"):
            model.forward(batch, model.make_cache(4), layers)


def test_the_course_models_answers_are_nanos() -> None:
    from helpers.aot.build import build_engine

    tokenizer = load_tokenizer("course")
    questions = ("What is a KV cache?", "Count from 1 to 12.", "What is TTFT?")
    prompts = [tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": text}])) for text in questions]
    answers = []
    for loaded in (None, load_compiled(build_engine())):
        engine = load_engine("course", loaded=loaded, max_model_len=256)
        requests = [engine.add_request(prompt, max_tokens=40) for prompt in prompts]
        engine.run_until_done()
        answers.append([request.ids for request in requests])
    assert answers[0] == answers[1]
