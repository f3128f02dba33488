import json
import random
import re
from itertools import islice

import pytest

from helpers.models.training.corpus import copying, lists, recall, records, terms
from helpers.models.training.corpus.mixture import KINDS, WEIGHTS, make_example, stream
from helpers.models.training.corpus.phrases import Phrase, fill, is_held_out, load_templates
from helpers.models.training.glossary import ASPECTS, load_glossary

SAMPLES = 300


def test_the_stream_follows_its_seed() -> None:
    assert list(islice(stream(1), 50)) == list(islice(stream(1), 50))
    assert list(islice(stream(1), 50)) != list(islice(stream(2), 50))


def test_every_kind_comes_and_every_chat_ends_with_an_answer() -> None:
    examples = list(islice(stream(3), 1500))
    assert {example.kind for example in examples} == set(KINDS) == set(WEIGHTS)
    for example in examples:
        roles = [message["role"] for message in example.messages]
        talk = roles[1:] if roles[0] == "system" else roles
        assert talk == ["user", "assistant"] * (len(talk) // 2) != []
        assert all(message["content"].strip() for message in example.messages)
        assert all(message["content"].isascii() for message in example.messages)
    assert any(len(example.messages) > 3 for example in examples)


def test_nearly_no_question_comes_twice() -> None:
    rng = random.Random(4)
    questions = [terms.ask(rng)[0][0] for _ in range(2000)]
    assert len(set(questions)) > 1950


@pytest.mark.parametrize("kind", ["terms", "lists", "copying", "stories", "code"])
def test_held_out_phrasings_are_a_small_share_and_the_two_sides_never_meet(kind: str) -> None:
    rng = random.Random(11)
    split = {name: phrases for name, phrases in load_templates(kind).items() if phrases.split}
    assert split
    for phrases in split.values():
        both = [phrase.sample(rng) for phrase in phrases.phrases for _ in range(40)]
        assert 0.02 < sum(map(is_held_out, both)) / len(both) < 0.25
        assert not any(is_held_out(phrases.pick(rng)) for _ in range(SAMPLES))
        assert all(is_held_out(phrases.pick(rng, held_out=True)) for _ in range(30))


def test_case_end_marks_and_number_make_no_other_phrasing() -> None:
    rng = random.Random(12)
    for phrasing in (load_templates("terms")["why"].pick(rng) for _ in range(SAMPLES)):
        plural = phrasing.replace("{is}", "is").replace("{does}", "does")
        assert is_held_out(phrasing) == is_held_out(plural.upper().replace("{X}", "{x}") + "?")


def test_every_word_of_the_held_out_questions_about_terms_occurs_in_training() -> None:
    rng = random.Random(13)
    sets = load_templates("terms")
    everything = [phrase.sample(rng) for phrases in sets.values() for phrase in phrases.phrases for _ in range(150)]
    trained = {word for phrasing in everything if not is_held_out(phrasing) for word in find_words(phrasing)}
    asked = {
        word for aspect in ASPECTS for _ in range(SAMPLES) for word in find_words(sets[aspect].pick(rng, held_out=True))
    }
    assert asked <= trained


def find_words(phrasing: str) -> set[str]:
    return set(re.findall(r"[a-z']+", re.sub(r"{.*?}", " ", phrasing.lower())))


def test_held_out_questions_never_come_from_training_frames() -> None:
    rng = random.Random(5)
    term = load_glossary()[0]

    def ask(aspect: str, held_out: bool) -> str:
        return terms.ask_about(rng, term, aspect, held_out, rough=False)[0].lower().rstrip("?.")

    trained = {ask(aspect, False) for aspect in ASPECTS for _ in range(2 * SAMPLES)}
    held_out = {ask(aspect, True) for aspect in ASPECTS for _ in range(50)}
    assert not trained & held_out


@pytest.mark.parametrize("held_out", [False, True])
def test_record_requests_hold_every_key_and_value_of_their_object(held_out: bool) -> None:
    rng = random.Random(6)
    for _ in range(SAMPLES):
        question, answer = records.ask(rng, held_out)[0]
        for key, value in json.loads(answer).items():
            assert key in question
            assert (json.dumps(value) if isinstance(value, bool) else str(value)) in question


def test_copies_are_in_the_prompt() -> None:
    rng = random.Random(7)
    assert all(answer in question for question, answer in (copying.ask(rng)[0] for _ in range(SAMPLES)))


def test_counting_is_right() -> None:
    rng = random.Random(8)
    seen = 0
    for question, answer in (lists.ask(rng)[0] for _ in range(2 * SAMPLES)):
        if question.startswith(("Start at", "Count from")) and not {"by", "in", "with"} & set(question.split()):
            first, last = (int(word.rstrip(".?")) for word in question.split() if word.rstrip(".?").isdigit())
            assert answer == ", ".join(str(number) for number in range(first, last + 1))
            seen += 1
    assert seen > 10


@pytest.mark.parametrize("distance_words", [0, 50, 400])
def test_a_fact_to_recall_stands_as_far_back_as_asked(distance_words: int) -> None:
    rng = random.Random(9)
    for _ in range(30):
        turns = recall.ask(rng, distance_words=distance_words)
        text = " ".join(question for question, _ in turns)
        value = turns[-1][1].rstrip(".").split()[-1]
        assert value in text
        assert len(text.split()) >= distance_words


def test_long_prompts_come_only_where_they_are_asked_for() -> None:
    rng = random.Random(10)
    short = [make_example(rng, "recall", distance_words=10) for _ in range(30)]
    long = [make_example(rng, "recall", distance_words=500) for _ in range(30)]
    assert max(len(str(example.messages)) for example in short) < min(len(str(example.messages)) for example in long)


def test_phrases_reach_every_alternative_and_fill_fields() -> None:
    phrase = Phrase("[a|b[1|2|]] {x}[?|]")
    assert {fill(phrase.sample(random.Random(seed)), x="[x|y]") for seed in range(200)} == {
        f"{start} [x|y]{end}" for start in ("a", "b1", "b2", "b") for end in ("?", "")
    }


@pytest.mark.parametrize("template", ["[a|b", "a]", "[a[b]"])
def test_unmatched_brackets_are_an_error(template: str) -> None:
    with pytest.raises(ValueError, match="unmatched"):
        Phrase(template)
