"""The shipped weights through llama.cpp, against their card.

The card holds the whole measurement; these tests show on fewer trials that the files in the clone are the model that
was measured.
"""

from collections.abc import Iterator

import pytest

from helpers import launch
from helpers.engines.server import Server
from helpers.models.card import COURSE, read_card
from helpers.models.prompts import PROMPT_CLASSES, prompt_class
from helpers.models.tokenizer import load_tokenizer
from helpers.models.training.evaluate import Answer, Ask, Messages, judge

SHARES = {"questions": 0.3, "held-out": 0.15, "parsing": 0.15, "known-keys": 0.15, "unseen-keys": 0.15, "recall": 0.15}
"""Of each bar's trials, how many are run here; the fewer, the more a share strays from the card's."""
SHIPPED_BYTES = 20_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with launch("llama.cpp", model="course", precision="f32", max_num_seqs=1) as running:
        yield running


def make_ask(server: Server) -> Ask:
    def ask(messages: Messages, *, temperature: float, max_tokens: int, seed: int) -> Answer:
        reply = server.chat(list(messages), temperature=temperature, max_tokens=max_tokens, seed=seed)
        return Answer(reply.text, reply.finish_reason, reply.usage.output_tokens or 0)

    return ask


@pytest.mark.parametrize("key", SHARES)
def test_the_model_does_what_its_card_says(server: Server, key: str) -> None:
    qualities, misses = judge(make_ask(server), load_tokenizer("course"), [key], SHARES[key])
    measured, ended = qualities
    said = next(quality.value for quality in read_card().quality if quality.name == measured.name)
    # Three standard deviations of a share measured on so few trials, and no less than one trial.
    slack = max(3 * (said * (1 - said) / measured.trials) ** 0.5, 1 / measured.trials)
    assert measured.value >= said - slack, "\n".join(misses)
    assert ended.value >= 0.95


def test_the_card_is_of_these_weights_and_every_bar_holds() -> None:
    card = read_card()
    assert card.changed == ()
    assert {quality.name: quality.value for quality in card.quality if not quality.holds} == {}


def test_the_weights_are_small_enough_for_a_clone() -> None:
    assert sum(path.stat().st_size for path in COURSE.rglob("*") if path.is_file()) <= SHIPPED_BYTES
    sizes = {part.id: part.parameters for part in read_card().parts}
    assert sizes["course"] <= 6_000_000
    assert 700_000 <= sizes["course-draft"] <= 1_300_000


def test_merges_hold_no_space_and_no_pair_of_digits_and_are_ascii() -> None:
    tokenizer = load_tokenizer("course")
    assert tokenizer.size == 2048
    for token_id in range(3, tokenizer.size):
        text = tokenizer.decode([token_id])
        if len(text) > 1:
            assert text.isascii()
            assert not set(text) & set(" \n\t")
            assert sum(character.isdigit() for character in text) < 2


def test_the_whole_context_runs(server: Server) -> None:
    tokenizer = load_tokenizer("course")
    prompt = "Remember: the code of Mira is 4821. " + "The river was cold and the bridge was old. " * 170
    assert 3_400 < tokenizer.count(prompt) < 3_900
    reply = server.chat(prompt + "What is a token?", max_tokens=40, temperature=0)
    assert reply.usage.output_tokens


def test_draft_acceptance_falls_from_predictable_to_free_text() -> None:
    shares = {}
    options = {"speculation": "draft", "draft_model": "course-draft", "draft_tokens": 3}
    with launch("llama.cpp", model="course", precision="f32", max_num_seqs=1, **options) as speculating:
        for name, temperature in PROMPT_CLASSES.items():
            proposed = accepted = 0
            for index, prompt in enumerate(prompt_class(name)[::4]):
                usage = speculating.chat(prompt, temperature=temperature, max_tokens=64, seed=index).usage
                proposed, accepted = proposed + (usage.draft_tokens or 0), accepted + (usage.accepted_tokens or 0)
            assert proposed
            shares[name] = accepted / proposed
    assert shares["predictable"] - shares["free"] >= 0.15
    assert shares["predictable"] > shares["semi"] > shares["free"]
