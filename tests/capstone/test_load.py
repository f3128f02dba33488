"""The hidden load: as long as the brief says, the same for one seed, another for another."""

from dataclasses import replace

import pytest

from helpers.bench.tokens import LocalTokens
from helpers.capstone.brief import find_brief
from helpers.capstone.load import make_texts, make_workload


@pytest.fixture(scope="module")
def tokens() -> LocalTokens:
    return LocalTokens("course")


def test_chat_draws_among_its_preambles_and_makes_each_known(tokens: LocalTokens) -> None:
    load = replace(find_brief("chat", "laptop").load, preambles=3, preamble_tokens=60, own_tokens=10)
    before, texts = make_texts(load, tokens, seed=5, count=12)
    assert len(before) == 3
    beginnings = {text[:80] for text in before}
    assert len(beginnings) == 3
    assert {text[:80] for text in texts} <= beginnings
    assert len(set(texts)) == 12
    assert all(68 <= tokens.count(text) <= 73 for text in texts)


def test_extraction_asks_document_after_document(tokens: LocalTokens) -> None:
    load = replace(find_brief("extraction", "laptop").load, preamble_tokens=40, own_tokens=8)
    before, texts = make_texts(load, tokens, seed=5, count=8)
    assert before == []
    documents = [text[:60] for text in texts]
    assert documents[:4] == [documents[0]] * 4
    assert documents[4:] == [documents[4]] * 4
    assert documents[0] != documents[4]


def test_agent_shuffles_the_courses_prompts(tokens: LocalTokens) -> None:
    load = find_brief("agent", "laptop").load
    before, texts = make_texts(load, tokens, seed=5, count=6)
    assert len(set(texts)) == 6
    assert len(before) == 1
    workload = make_workload(load, texts, "agent")
    assert not workload.fixed_output


def test_a_seed_is_a_load(tokens: LocalTokens) -> None:
    load = replace(find_brief("chat", "laptop").load, preambles=3, preamble_tokens=20, own_tokens=10)
    assert make_texts(load, tokens, 7, 5) == make_texts(load, tokens, 7, 5)
    assert make_texts(load, tokens, 7, 5) != make_texts(load, tokens, 8, 5)
