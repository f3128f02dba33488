"""Words the corpus is made from, and words that exist nowhere."""

import random
import tomllib
from pathlib import Path


def _read_words() -> dict[str, list[str]]:
    texts = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    return {name: [word.strip() for word in text.split(",")] for name, text in texts.items()}


WORDS = _read_words()
PEOPLE = WORDS["people"]
PLACES = WORDS["places"]
ANIMALS = WORDS["animals"]
THINGS = WORDS["things"]
COLORS = WORDS["colors"]
QUALITIES = WORDS["qualities"]
COMMON = WORDS["common"]

_ONSETS = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "br",
    "cl",
    "dr",
    "fl",
    "gr",
    "kr",
    "pl",
    "pr",
    "sh",
    "sk",
    "sl",
    "st",
    "tr",
    "th",
    "ch",
]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "oo", "ou"]
_CODAS = ["", "", "", "", "n", "r", "l", "s", "t", "m", "k", "x", "nd", "rt", "st", "ck"]


def invent_word(rng: random.Random, syllables: int | None = None) -> str:
    """A pronounceable lower-case word that most likely exists nowhere."""
    count = syllables if syllables is not None else rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))


def random_string(rng: random.Random) -> str:
    """A string as found in records: a name, a word, several words, an identifier, a code."""
    draw = rng.randrange(12)
    if draw < 2:
        return rng.choice(PEOPLE)
    if draw == 2:
        return rng.choice(PLACES)
    if draw == 3:
        return rng.choice(COLORS + ANIMALS + THINGS)
    if draw == 4:
        return " ".join(rng.sample(COMMON, rng.randint(2, 3)))
    if draw == 5:
        return f"{rng.choice(QUALITIES)} {rng.choice(THINGS + ANIMALS)}"
    if draw == 6:
        prefix = rng.choice(("req", "job", "id", "run", "node", "v", "item", invent_word(rng, 1)))
        return f"{prefix}-{rng.randrange(10000)}"
    if draw == 7:
        letter = rng.choice("abcdefghijklmnopqrstuvwxyz")
        return letter + "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(rng.randint(2, 6)))
    if draw == 8:
        return invent_word(rng).capitalize()
    if draw == 9:
        return rng.choice(COMMON)
    return invent_word(rng)


def random_number(rng: random.Random) -> int | float:
    """A number as found in records: mostly small whole numbers, some large, some with decimals."""
    draw = rng.random()
    if draw < 0.55:
        return rng.randint(0, 100)
    if draw < 0.8:
        return rng.randint(0, 10_000)
    return round(rng.uniform(0, 100), rng.choice((1, 2)))
