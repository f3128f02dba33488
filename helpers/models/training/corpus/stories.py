"""Short stories: free text whose next word cannot be foreseen."""

import random
import re

from helpers.models.training.corpus.phrases import load_templates
from helpers.models.training.corpus.words import ANIMALS, COLORS, COMMON, PEOPLE, PLACES, QUALITIES, THINGS, WORDS

Turn = tuple[str, str]

_TEMPLATES = load_templates("stories")


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for a story, and a story about its subject."""
    hero, name = _make_hero(rng)
    question = _TEMPLATES["request"].sample(rng, held_out, s=hero)
    return [(question, tell_story(rng, name, rng.randint(3, 6)))]


def tell_story(rng: random.Random, hero: str, sentences: int) -> str:
    """A story of so many sentences."""
    middle = [_say(rng, "sentences", hero) for _ in range(sentences - 1)]
    return " ".join([*middle, _say(rng, "endings", hero)])


def _make_hero(rng: random.Random) -> tuple[str, str]:
    draw = rng.random()
    if draw < 0.5:
        name = rng.choice(PEOPLE)
        return name, name
    kind = rng.choice(ANIMALS)
    quality = f"{rng.choice(QUALITIES)} " if draw < 0.75 else ""
    article = "an" if (quality or kind)[0] in "aeio" else "a"
    return f"{article} {quality}{kind}", f"the {kind}"


def _say(rng: random.Random, part: str, hero: str) -> str:
    thing, other = rng.sample(THINGS, 2)
    fields = {
        "h": hero,
        "v": rng.choice(WORDS["verbs"]),
        "t2": f"the {rng.choice((*COLORS, *QUALITIES))} {other}",
        "t3": rng.choice(THINGS),
        "t": f"{rng.choice(('the', 'a', 'one', 'that', 'every'))} {rng.choice((*COLORS, *QUALITIES))} {thing}",
        "o": rng.choice(WORDS["places_outside"]),
        "q": rng.choice(QUALITIES),
        "m": rng.choice(WORDS["moments"]),
        "w": rng.choice(WORDS["skies"]),
        "p": rng.choice(PEOPLE),
        "a2": f"the {rng.choice(ANIMALS)}",
        "f": rng.choice(WORDS["feelings"]),
        "c": rng.choice(COLORS),
        "l2": rng.choice(PLACES),
        "l": rng.choice(PLACES),
        "n": rng.choice(COMMON),
        "k": str(rng.randint(2, 60)),
    }
    text = _TEMPLATES[part].sample(rng, **fields)
    text = re.sub(r"\b(a) (?=[aeio]|honest)", "an ", text)
    start = next(index for index, character in enumerate(text) if character.isalpha())
    return text[:start] + text[start].upper() + text[start + 1 :]
