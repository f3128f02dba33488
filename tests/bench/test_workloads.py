"""Workloads: prompts of exact length that share nothing unless told to."""

import pytest

from helpers.bench.tokens import LocalTokens, ServerTokens, WordTokens, find_tokens
from helpers.bench.workloads import (
    WORDS,
    Workload,
    class_prompts,
    first_words,
    given_prompts,
    make_prompts,
    shared_prefix,
    unique_prompts,
)
from helpers.client.mock import MockServer
from helpers.client.wire import Endpoint
from helpers.errors import UsageError


@pytest.fixture(scope="module")
def course() -> LocalTokens:
    return LocalTokens("course")


@pytest.mark.parametrize("length", [12, 13, 14, 64, 257, 1000])
def test_prompts_have_exactly_the_length_asked_for(course: LocalTokens, length: int):
    from helpers.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer("course")
    for prompt in make_prompts(unique_prompts(length, 8, seed=1), course, 0, 12):
        assert tokenizer.count(tokenizer.render_chat(prompt.messages)) == length == prompt.input_tokens


def test_unique_prompts_differ_from_the_first_word_on(course: LocalTokens):
    prompts = make_prompts(unique_prompts(40, 8, seed=5), course, 0, len(WORDS))
    first = [prompt.messages[0]["content"].split()[0] for prompt in prompts]
    assert len(set(first)) == len(WORDS)
    assert len({tuple(first_words(5, number)) for number in range(5 * len(WORDS))}) == 5 * len(WORDS)


def test_the_seed_decides_the_words(course: LocalTokens):
    def texts(seed: int | None, start: int = 0) -> list[str]:
        workload = unique_prompts(30, 8, seed=seed)
        return [prompt.messages[0]["content"] for prompt in make_prompts(workload, course, start, 3)]

    assert texts(1) == texts(1)
    assert not set(texts(1)) & set(texts(2))
    assert texts(1, start=1)[:2] == texts(1)[1:]
    assert not set(texts(None)) & set(texts(None))


def test_shared_prefixes_are_shared_within_a_group_only(course: LocalTokens):
    workload = shared_prefix(50, 80, 8, groups=2, seed=1)
    prompts = make_prompts(workload, course, 0, 4)
    systems = [prompt.messages[0]["content"] for prompt in prompts]
    assert systems[0] == systems[2] != systems[1] == systems[3]
    assert course.count(systems[0]) == 50
    assert len({prompt.messages[1]["content"] for prompt in prompts}) == 4
    assert [prompt.input_tokens for prompt in prompts] == [80] * 4
    assert not workload.unique


def test_lengths_are_taken_in_turn(course: LocalTokens):
    prompts = make_prompts(unique_prompts([20, 60], [4, 8, 16], seed=1), course, 0, 6)
    assert [prompt.input_tokens for prompt in prompts] == [20, 60, 20, 60, 20, 60]
    assert [prompt.output_tokens for prompt in prompts] == [4, 8, 16, 4, 8, 16]


def test_given_prompts_are_taken_as_they_are():
    prompts = make_prompts(given_prompts(["a", "b"], 5), WordTokens(), 0, 3)
    assert [prompt.messages[0]["content"] for prompt in prompts] == ["a", "b", "a"]
    assert prompts[0].input_tokens is None


def test_a_prompt_class_is_sampled_only_where_it_is_free():
    pytest.importorskip("helpers.models.prompts")
    assert class_prompts("free").options["temperature"] == 1
    assert class_prompts("predictable").options["temperature"] == 0


def test_a_prompt_too_short_for_the_template_says_how_long_it_must_be(course: LocalTokens):
    with pytest.raises(UsageError) as caught:
        make_prompts(unique_prompts(3, 8), course, 0, 1)
    shortest = int(caught.value.next_command.split("input_tokens=")[1].split()[0])
    assert make_prompts(unique_prompts(shortest, 8), course, 0, 1)[0].input_tokens == shortest


@pytest.mark.parametrize(
    "make",
    [lambda: unique_prompts(0), lambda: unique_prompts([]), lambda: given_prompts([]), lambda: unique_prompts(8, [])],
)
def test_impossible_workloads_are_refused(make):
    with pytest.raises(UsageError):
        make()


def test_workloads_survive_json():
    for workload in (unique_prompts([8, 16], 4, seed=1, top_p=0.9), given_prompts(["a"]), shared_prefix(5, 20)):
        assert Workload.from_json(workload.to_json()) == workload


def test_the_server_counts_where_the_model_is_not_here():
    with MockServer() as mock:
        tokens = find_tokens(Endpoint.parse(mock.url), "mock", "")
        assert isinstance(tokens, ServerTokens)
        assert (tokens.count("a b c"), tokens.template(("user",)), tokens.template(("system", "user"))) == (3, 4, 4)
        (prompt,) = make_prompts(unique_prompts(32), tokens, 0, 1)
        assert prompt.input_tokens == 32
        assert len(prompt.messages[0]["content"].split()) == 28


def test_words_are_counted_where_nothing_else_is():
    with MockServer(faults={"foreign": True}) as mock:
        tokens = find_tokens(Endpoint.parse(mock.url), "mock", "")
    assert isinstance(tokens, WordTokens)
    assert "in words" in tokens.note
