"""Speculation in the engine: no method changes a token of a greedy answer, nor the distribution of a sampled one."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.models.llama import load_llama
from helpers.nano.engine import Engine, load_engine
from helpers.nano.model import Model
from helpers.nano.request import SamplingOptions
from helpers.nano.sampling import probabilities
from helpers.nano.speculation import find_drafter
from tests.models.conftest import make_checkpoint
from tests.models.head import make_head

METHODS = {"ngram": "", "draft": "draft", "eagle3": "head"}
PROMPTS = [[5, 9, 40, 70, 100], [200, 31, 8, 8, 15, 60, 61, 62, 63] * 3, [77] * 20, [1, 300, 2, 12], [5, 9] * 9, [8]]
LIMIT_8 = 26.1  # the 0.999 quantile of chi-square with 8 degrees of freedom
SAMPLED = 600


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with target, draft and head; the draft is the target with one layer less, so that it is often right."""
    folder = tmp_path_factory.mktemp("models")
    make_checkpoint(folder / "target", layers=4)
    make_checkpoint(folder / "draft", layers=3)
    make_head(folder / "target", folder / "head")
    return folder


def make_engine(models: Path, method: str, sampled: bool = False, **options: Any) -> Engine:
    make = None
    if method != "none":
        draft = models / METHODS[method] if METHODS[method] else ""
        seats = options.get("max_num_seqs", 16)
        make = find_drafter(
            method, models / "target", draft_model=draft, draft_tokens=3, max_num_seqs=seats, sampled=sampled
        )
    return load_engine(models / "target", make_drafter=make, block_size=4, **options)


def answers(engine: Engine) -> list[list[int]]:
    requests = [
        engine.add_request(prompt, max_tokens=10 + 5 * index, ignore_eos=True) for index, prompt in enumerate(PROMPTS)
    ]
    while engine.has_work:
        engine.step()
        engine.scheduler.check()
    assert all(request.error is None for request in requests)
    return [request.output_ids for request in requests]


CONDITIONS: dict[str, dict[str, Any]] = {
    "together": {"max_model_len": 96},
    "in chunks": {"max_model_len": 96, "max_num_seqs": 3, "max_num_batched_tokens": 14},
    "preempted": {"max_model_len": 96, "num_blocks": 26},
    "in a static batch": {"max_model_len": 96, "max_num_seqs": 3, "batching": "static"},
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("method", METHODS)
def test_greedy_answers_are_those_without_speculation(models: Path, method: str, condition: str) -> None:
    alone = answers(make_engine(models, "none", max_model_len=96))
    engine = make_engine(models, method, **CONDITIONS[condition])
    assert answers(engine) == alone
    assert engine.counters.draft_tokens > 0
    assert (engine.counters.preemptions > 0) == (condition == "preempted")


@pytest.mark.parametrize("method", METHODS)
def test_a_second_request_finds_the_prefix_and_answers_the_same(models: Path, method: str) -> None:
    engine = make_engine(models, method, max_model_len=96)
    first = answers(engine)
    assert answers(engine) == first
    assert engine.counters.cached_tokens > 0


@pytest.mark.parametrize("sampled", [False, True], ids=["certain proposals", "drawn proposals"])
@pytest.mark.parametrize("method", ["draft", "eagle3"])
def test_sampled_answers_are_distributed_as_the_models_own(models: Path, method: str, sampled: bool) -> None:
    # Two of three likely tokens at each of two places: nine outcomes, whose probabilities the model itself gives.
    options = {"temperature": 1.3, "top_k": 3}
    prompt = PROMPTS[0]
    first, shares = exact_distribution(models / "target", prompt, SamplingOptions(**options))
    engine = make_engine(models, method, sampled, max_model_len=32, max_num_seqs=64)
    requests = [
        engine.add_request(
            prompt, max_tokens=4, ignore_eos=True, sampling=SamplingOptions(**options, seed=1000 + number)
        )
        for number in range(SAMPLED)
    ]
    engine.run_until_done()
    assert engine.counters.drafts > 0
    # A random head hardly ever proposes one of three likely tokens: with it, all is drawn again after a rejection.
    assert (engine.counters.accepted_tokens > 0) or method == "eagle3"
    # The first token comes from the prefill; the two behind it were proposed and verified.
    found = Counter(tuple(request.output_ids[1:3]) for request in requests if request.output_ids[0] == first)
    total = sum(found.values())
    assert set(found) <= set(shares)
    statistic = sum((found[pair] - total * share) ** 2 / (total * share) for pair, share in shares.items())
    assert statistic < LIMIT_8


def exact_distribution(
    directory: Path, prompt: list[int], options: SamplingOptions
) -> tuple[int, dict[tuple[int, int], float]]:
    """The likeliest first token, and how likely each pair behind it is."""
    llama = load_llama(directory)

    def after(ids: list[int]) -> np.ndarray:
        return probabilities(llama.forward(ids, llama.new_cache(len(ids)))[-1:], options)[0]

    first = int(after(prompt).argmax())
    second = after([*prompt, first])
    return first, {
        (int(token), int(other)): float(second[token] * third[other])
        for token in np.nonzero(second)[0]
        for third in [after([*prompt, first, int(token)])]
        for other in np.nonzero(third)[0]
    }


def test_a_stop_among_accepted_proposals_ends_the_answer(models: Path) -> None:
    engine = make_engine(models, "none", max_model_len=96)
    request = engine.add_request(PROMPTS[0], max_tokens=12, ignore_eos=True)
    engine.run_until_done()
    end = request.output_ids[6]
    expected = request.output_ids[: request.output_ids.index(end) + 1]
    make = find_drafter("draft", models / "target", draft_model=models / "target", max_num_seqs=16)
    drafted = load_engine(models / "target", make_drafter=make, max_model_len=96)
    drafted.end_ids = frozenset({end})
    request = drafted.add_request(PROMPTS[0], max_tokens=12)
    drafted.run_until_done()
    assert request.output_ids == expected
    assert request.finish_reason == "stop"


def test_nan_states_harm_no_other_request(models: Path) -> None:
    engine = make_engine(models, "eagle3", max_model_len=96)
    alone = engine.add_request(PROMPTS[1], max_tokens=12, ignore_eos=True)
    engine.run_until_done()
    assert isinstance(engine.model, Model)
    engine.model._embedding[123] = np.nan
    poisoned, beside = (engine.add_request(ids, max_tokens=12, ignore_eos=True) for ids in ([5, 123, 7], PROMPTS[1]))
    engine.run_until_done()
    assert poisoned.finish_reason == "error"
    assert beside.output_ids == alone.output_ids
