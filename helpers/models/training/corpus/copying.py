"""Copying: the answer is a piece of the prompt, word for word."""

import random

from helpers.models.training.corpus.phrases import PhraseSet
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

_COPY = PhraseSet(
    train=[
        "[Repeat|Copy|Say|Echo|Write|Print|Type] [this|the following|these words|this text|this line|] "
        "[exactly|word for word|verbatim|unchanged|again|back to me|as it is|]: {t}",
        "[Repeat|Copy|Say|Echo] after me: {t}",
        "[Repeat|Copy|Echo]: {t}",
        "[Please repeat|Please copy|Can you repeat|Could you copy|I want you to repeat|Answer with|Reply with|Respond with] "
        "[this|the following|exactly this|only this|this text][: |:\n]{t}",
        '[Repeat|Say|Write|Copy|Echo|Print] "{t}"[.|]',
        "[Repeat|Copy] [the next line|the text below|the line below|what follows|everything below][.|:]\n{t}",
        "{t}\n\n[Repeat|Copy|Echo] [that|this|it|the text above|the line above][.| exactly.| word for word.|]",
        "[What I say is|The text is|Here is the text|My line is]: {t}\n[Repeat it|Copy it|Say it again|Write it again][.|]",
    ],
    held_out=['Say exactly "{t}".', "Give back this text without changes: {t}", "Mirror this: {t}"],
)


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request to repeat a text."""
    text = make_text(rng)
    return [(_COPY.sample(rng, held_out, t=text), text)]


def make_text(rng: random.Random) -> str:
    """A text to be copied: words, invented words, identifiers, numbers or a sentence."""
    draw = rng.random()
    if draw < 0.3:
        return " ".join(rng.choice(COMMON + THINGS) for _ in range(rng.randint(2, 12)))
    if draw < 0.55:
        return " ".join(invent_word(rng) for _ in range(rng.randint(1, 8)))
    if draw < 0.7:
        return rng.choice((", ", " ")).join(random_string(rng) for _ in range(rng.randint(1, 4)))
    if draw < 0.8:
        return rng.choice((" ", ", ")).join(str(random_number(rng)) for _ in range(rng.randint(1, 8)))
    if draw < 0.9:
        return f"{rng.choice(PEOPLE)} [went|goes|will go] to {rng.choice(PLACES)}.".replace(
            "[went|goes|will go]", rng.choice(("went", "goes", "moved"))
        )
    return rng.choice(load_glossary()).sentences[rng.choice(ASPECTS)]
