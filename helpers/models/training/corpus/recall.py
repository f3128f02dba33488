"""Recall: a fact stands far back in the prompt, behind other text, and is asked for."""

import random

from helpers.models.training.corpus.phrases import load_templates
from helpers.models.training.corpus.stories import tell_story
from helpers.models.training.corpus.words import ANIMALS, COLORS, PEOPLE, PLACES, THINGS
from helpers.models.training.glossary import ASPECTS, load_glossary

Turn = tuple[str, str]

_KINDS: dict[str, tuple[str, ...]] = {
    "code": (),
    "password": (),
    "room number": (),
    "color": tuple(COLORS),
    "city": tuple(PLACES),
    "pet": tuple(ANIMALS),
    "gift": tuple(THINGS),
}
_TEMPLATES = load_templates("recall")


def ask(rng: random.Random, held_out: bool = False, distance_words: int = 60) -> list[Turn]:
    """A prompt with one to four facts and a question for one of them or for each.

    Args:
        rng: the source of chance.
        held_out: nothing is kept back in this kind; each prompt is new by its fillers.
        distance_words: how many words of other text stand between the first fact and the question, about.
    """
    del held_out
    facts = _make_facts(rng, rng.choice((1, 1, 1, 2, 3, 4)))
    asked = facts if rng.random() < 0.5 else facts[:1]
    # The fact asked for is the farthest one in half of the prompts with several.
    order = list(facts)
    if rng.random() < 0.5:
        rng.shuffle(order)
    before = make_filler(rng, rng.randint(0, max(1, distance_words // 8)))
    pieces = [before] if before else []
    spread = [distance_words // len(order)] * len(order)
    for (fact_kind, fact_person, fact_value), words in zip(order, spread, strict=True):
        pieces.append(_TEMPLATES["fact"].sample(rng, k=fact_kind, p=fact_person, v=fact_value))
        filler = make_filler(rng, words)
        if filler:
            pieces.append(filler)
    turns = [
        (_TEMPLATES["question"].sample(rng, k=kind, p=person), f"The {kind} of {person} is {value}.")
        for kind, person, value in asked
    ]
    text = " ".join(pieces)
    if rng.random() < 0.2:
        return [(text, "I will remember it."), *turns]
    lead = _TEMPLATES["lead"].sample(rng, c=rng.choice((": ", ":\n", ".\n\n")))
    question, answer = turns[0]
    return [(f"{lead}{text}{rng.choice((' ', chr(10), chr(10) * 2))}{question}", answer), *turns[1:]]


def make_filler(rng: random.Random, words: int) -> str:
    """Other text of about so many words: sentences of stories and of the glossary."""
    pieces: list[str] = []
    count = 0
    while count < words:
        if rng.random() < 0.6:
            piece = tell_story(rng, rng.choice(PEOPLE), rng.randint(1, 4))
        else:
            piece = rng.choice(load_glossary()).sentences[rng.choice(ASPECTS)]
        pieces.append(piece)
        count += len(piece.split())
    return " ".join(pieces)


def _make_facts(rng: random.Random, count: int) -> list[tuple[str, str, str]]:
    return [
        (kind, person, _make_value(rng, kind))
        for kind, person in zip(rng.choices(list(_KINDS), k=count), rng.sample(PEOPLE, count), strict=True)
    ]


def _make_value(rng: random.Random, kind: str) -> str:
    choices = _KINDS[kind]
    return rng.choice(choices) if choices else str(rng.randint(10, 9999))


def make_fact(rng: random.Random) -> tuple[str, str, str]:
    """A sentence with one fact, the question for it, and the value to be recalled."""
    kind, person, value = _make_facts(rng, 1)[0]
    fact = _TEMPLATES["fact"].sample(rng, k=kind, p=person, v=value)
    return fact, _TEMPLATES["question"].sample(rng, k=kind, p=person), value
