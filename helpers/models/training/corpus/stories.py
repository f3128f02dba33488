"""Short stories: free text whose next word cannot be foreseen."""

import random
import re

from helpers.models.training.corpus.phrases import Phrase, PhraseSet
from helpers.models.training.corpus.words import (
    ANIMALS,
    COLORS,
    COMMON,
    PEOPLE,
    PLACES,
    PLACES_OUTSIDE,
    QUALITIES,
    THINGS,
)

Turn = tuple[str, str]

_VERBS = [
    "found",
    "lost",
    "carried",
    "painted",
    "dropped",
    "sold",
    "bought",
    "hid",
    "broke",
    "mended",
    "watched",
    "borrowed",
    "cleaned",
    "opened",
    "followed",
    "forgot",
    "wanted",
    "feared",
    "loved",
    "counted",
    "drew",
    "remembered",
    "washed",
    "kept",
    "touched",
    "moved",
    "threw",
    "caught",
    "shook",
    "saved",
]
_FEELINGS = [
    "happy",
    "sad",
    "tired",
    "proud",
    "afraid",
    "calm",
    "angry",
    "surprised",
    "lonely",
    "glad",
    "curious",
    "sleepy",
    "brave",
    "sorry",
    "warm",
]
_SKIES = ["rain", "snow", "wind", "fog", "thunder", "sunlight", "frost", "moonlight", "heat", "mist"]
_MOMENTS = [
    "Suddenly",
    "Later",
    "In the evening",
    "The next day",
    "At noon",
    "After that",
    "Once",
    "Soon",
    "In winter",
    "On Sunday",
    "At last",
    "Before dawn",
    "That night",
    "Meanwhile",
    "Years later",
    "In spring",
    "Again",
    "Then",
    "At first",
    "Near the end",
]

_REQUEST = PhraseSet(
    train=[
        "[Tell me|Write|Tell|Make up|Invent|Give me|Write me|Can you tell me|Please write|Please tell] a [short |little |small |]story[.|?|]",
        "[Tell me|Write|Make up|Invent|Give me] a [short |little |]story about {s}[.|]",
        "[A story|Story|Short story] [about|with] {s}[.|, please.|]",
        "[Write|Tell me] [something|a few sentences|a paragraph|some lines] about {s}[.|]",
        "What happened to {s}?",
        "[Write|Invent] [some|any] [free text|text|prose][.| about anything.| about {s}.]",
    ],
    held_out=["I would love a story about {s}.", "Entertain me with a story."],
)
_SENTENCES = [
    Phrase(template)
    for template in (
        "{h} {v} {t} [near|in|behind|beside|at] the {q} {o}.",
        "{m} {h} {v} {t}.",
        "{m} the {w} came over the {o}.",
        "{h} met [{p}|{a2}] [in|near|at] the {o}.",
        "{h} was {f} [and|but] {v} {t}.",
        "The {o} was {q} and [{c}|{q}].",
        "{m} [{p}|{a2}] [asked|told|warned|helped|called|joined|invited] {h}.",
        "[Nobody|Everybody|Only {p}|{a2}] {v} {t}.",
        "{h} [walked|ran|drove|sailed|travelled|went] from {l} to {l2}.",
        "{h} [put|hid|left|placed|kept] {t} [under|behind|inside|beside|on] {t2}.",
        "{m} [it|everything|the {o}] [became|was|looked|seemed] {q}.",
        '"[I|We] [want|need|see|know|like|have] {t}," said [{p}|{h}].',
        "[In|Near|Outside|Behind] {l} there [was|stood|lay] {t}.",
        "{h} thought about [{n}|{n}|{t}] and the {o}.",
        "[{p}|{a2}|{h}] [laughed|slept|sang|waited|listened|danced|cooked|cried|smiled|worked] [all day|for {k} hours|{k} times|in the {o}].",
        "There were {k} [{q} |]{n}s and one {c} {t3}.",
        "{m} {h} felt {f}.",
        "The {q} {t3} [belonged to|was made by|came from] [{p}|{l}].",
    )
]
_ENDINGS = [
    Phrase(template)
    for template in (
        "[In the end|At last|Finally] {h} was {f}.",
        "{h} [went home|fell asleep|never came back|stayed there|told nobody|bought {t}].",
        "[And|So] the {o} was {q} again.",
        "That was the [end|day] [of the {n}|{h} {v} {t}].",
    )
]


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for a story, and a story about its subject."""
    hero, name = _make_hero(rng)
    question = _REQUEST.sample(rng, held_out, s=hero)
    return [(question, tell_story(rng, name, rng.randint(3, 6)))]


def tell_story(rng: random.Random, hero: str, sentences: int) -> str:
    """A story of so many sentences."""
    middle = [_say(rng, rng.choice(_SENTENCES), hero) for _ in range(sentences - 1)]
    return " ".join([*middle, _say(rng, rng.choice(_ENDINGS), hero)])


def _make_hero(rng: random.Random) -> tuple[str, str]:
    draw = rng.random()
    if draw < 0.5:
        name = rng.choice(PEOPLE)
        return name, name
    kind = rng.choice(ANIMALS)
    quality = f"{rng.choice(QUALITIES)} " if draw < 0.75 else ""
    article = "an" if (quality or kind)[0] in "aeio" else "a"
    return f"{article} {quality}{kind}", f"the {kind}"


def _say(rng: random.Random, phrase: Phrase, hero: str) -> str:
    thing, other = rng.sample(THINGS, 2)
    fields = {
        "h": hero,
        "v": rng.choice(_VERBS),
        "t2": f"the {rng.choice((*COLORS, *QUALITIES))} {other}",
        "t3": rng.choice(THINGS),
        "t": f"{rng.choice(('the', 'a', 'one', 'that', 'every'))} {rng.choice((*COLORS, *QUALITIES))} {thing}",
        "o": rng.choice(PLACES_OUTSIDE),
        "q": rng.choice(QUALITIES),
        "m": rng.choice(_MOMENTS),
        "w": rng.choice(_SKIES),
        "p": rng.choice(PEOPLE),
        "a2": f"the {rng.choice(ANIMALS)}",
        "f": rng.choice(_FEELINGS),
        "c": rng.choice(COLORS),
        "l2": rng.choice(PLACES),
        "l": rng.choice(PLACES),
        "n": rng.choice(COMMON),
        "k": str(rng.randint(2, 60)),
    }
    text = phrase.sample(rng, **fields)
    text = re.sub(r"\b(a) (?=[aeio]|honest)", "an ", text)
    start = next(index for index, character in enumerate(text) if character.isalpha())
    return text[:start] + text[start].upper() + text[start + 1 :]
