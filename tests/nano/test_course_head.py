"""The shipped EAGLE-3 head in the engines that are here: the same answers, as many tokens per pass as the card says."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers import launch
from helpers.errors import UsageError
from helpers.models.card import COURSE, read_card
from helpers.models.catalogue import entries, resolve
from helpers.models.eagle import read_head_config, require_fit
from helpers.models.prompts import PROMPT_CLASSES, prompt_class
from helpers.models.tokenizer import Tokenizer, load_tokenizer
from helpers.nano.engine import Engine, load_engine
from helpers.nano.request import Request, SamplingOptions
from helpers.nano.speculation import find_drafter

EVERY = 4
"""Of each class's prompts one in so many is asked here."""
ANSWER_TOKENS = 96
# One prompt in twenty may differ: where two tokens are about as likely, the order of additions decides.
NEAR_TIES = 1


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("course")


def make_engine(model: str, method: str) -> Engine:
    make = find_drafter(method, model, draft_model=entries()[model].drafts.get(method, ""), max_num_seqs=4)
    return load_engine(model, make_drafter=make, max_num_seqs=4, max_model_len=256)


def answer(engine: Engine, tokenizer: Tokenizer, prompts: Sequence[str], temperature: float) -> list[Request]:
    requests = [
        engine.add_request(
            tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": prompt}])),
            max_tokens=ANSWER_TOKENS,
            sampling=SamplingOptions(temperature=temperature, seed=seed),
        )
        for seed, prompt in enumerate(prompts)
    ]
    engine.run_until_done()
    return requests


def tokens_per_pass(engine: Engine) -> float:
    return 1 + engine.counters.accepted_tokens / engine.counters.drafts


def test_greedy_answers_of_the_course_model_are_unchanged(tokenizer: Tokenizer) -> None:
    prompts = [*prompt_class("predictable")[::8], *prompt_class("semi")[::8]]
    alone = [request.output_ids for request in answer(make_engine("course", "none"), tokenizer, prompts, 0.0)]
    for method in ("ngram", "draft", "eagle3"):
        found = [request.output_ids for request in answer(make_engine("course", method), tokenizer, prompts, 0.0)]
        assert sum(ours != theirs for ours, theirs in zip(found, alone, strict=True)) <= NEAR_TIES, method


@pytest.mark.parametrize("name", ["predictable", "free"])
def test_tokens_per_pass_are_those_of_the_card(tokenizer: Tokenizer, name: str) -> None:
    card = {quality.name: quality for quality in read_card().quality}
    said = card[f"EAGLE-3 head, tokens per target pass, {name} prompts"]
    assert said.holds
    engine = make_engine("course", "eagle3")
    answer(engine, tokenizer, prompt_class(name)[::EVERY], PROMPT_CLASSES[name])
    assert tokens_per_pass(engine) == pytest.approx(said.value, abs=0.4)


def test_llama_cpp_accepts_as_much(tokenizer: Tokenizer) -> None:
    prompts = prompt_class("predictable")[::EVERY]
    engine = make_engine("course", "eagle3")
    answer(engine, tokenizer, prompts, 0.0)
    with launch("llama.cpp", precision="f32", max_num_seqs=1, max_model_len=512, speculation="eagle3") as server:
        for prompt in prompts:
            server.chat(prompt, temperature=0, max_tokens=ANSWER_TOKENS)
        assert server.metrics()["acceptance_length"] == pytest.approx(tokens_per_pass(engine), abs=0.3)


def test_the_padded_head_fits_the_heavy_variant_and_proposes_the_same(tokenizer: Tokenizer) -> None:
    prompts = prompt_class("predictable")[:3]
    light, heavy = make_engine("course", "eagle3"), make_engine("course-heavy", "eagle3")
    assert [request.output_ids for request in answer(light, tokenizer, prompts, 0.0)] == [
        request.output_ids for request in answer(heavy, tokenizer, prompts, 0.0)
    ]
    assert tokens_per_pass(heavy) == pytest.approx(tokens_per_pass(light), abs=0.2)


def test_each_head_goes_with_its_own_model_only() -> None:
    for model, other in (("course", "course-heavy"), ("course-heavy", "course")):
        head = read_head_config(resolve(entries()[model].drafts["eagle3"]).directory)
        require_fit(head, resolve(model).directory)
        with pytest.raises(UsageError, match="the head does not fit"):
            require_fit(head, resolve(other).directory)


def test_shipped_files_are_small() -> None:
    folder: Path = COURSE / "eagle3"
    assert (folder / "model.safetensors").stat().st_size < 2_000_000
