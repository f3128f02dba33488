"""Copying: the answer is a piece of the prompt, word for word."""

import random

from helpers.models.training.corpus.phrases import load_templates
from helpers.models.training.corpus.words import (
    COMMON,
    PEOPLE,
    PLACES,
    THINGS,
    invent_word,
    random_number,
    random_string,
)
from helpers.models.training.glossary import ASPECTS, load_glossary

Turn = tuple[str, str]

_TEMPLATES = load_templates("copying")


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request to repeat a text."""
    text = make_text(rng)
    return [(_TEMPLATES["copy"].sample(rng, held_out, t=text), text)]


def make_text(rng: random.Random) -> str:
    """A text to be copied: words, invented words, identifiers, numbers or a sentence."""
    draw = rng.random()
    if draw < 0.25:
        return " ".join(
            rng.choice(COMMON + THINGS) for _ in range(rng.choice((rng.randint(2, 12), rng.randint(8, 36))))
        )
    if draw < 0.5:
        return " ".join(invent_word(rng) for _ in range(rng.choice((rng.randint(1, 8), rng.randint(4, 16)))))
    if draw < 0.65:
        return rng.choice((", ", " ")).join(random_string(rng) for _ in range(rng.randint(1, 4)))
    if draw < 0.78:
        return rng.choice((" ", ", ")).join(str(random_number(rng)) for _ in range(rng.randint(1, 8)))
    if draw < 0.85:
        return f"{rng.choice(PEOPLE)} {rng.choice(('went', 'goes', 'moved'))} to {rng.choice(PLACES)}."
    return rng.choice(load_glossary()).sentences[rng.choice(ASPECTS)]
