"""Code-like text: half predictable, since the frame is fixed and the names are not."""

import random
import tomllib
from pathlib import Path

from helpers.models.training.corpus.phrases import load_templates
from helpers.models.training.corpus.words import COMMON, THINGS, invent_word

Turn = tuple[str, str]

_TEMPLATES = load_templates("code")
_SNIPPETS = tomllib.loads(Path(__file__).with_name("snippets.toml").read_text(encoding="utf-8"))["snippet"]


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for code."""
    snippet = rng.choice(_SNIPPETS)
    names = rng.sample(COMMON + THINGS, 6)
    if rng.random() < 0.3:
        names[0] = invent_word(rng)
    function = "_".join(names[:2])
    text = str(snippet["code"])
    fields = {
        "n": function,
        "N": names[0].capitalize(),
        "a": names[2],
        "b": names[3],
        "r": names[4],
        "e": names[5],
        "w": names[0],
        "v": names[1],
        "k": str(rng.randint(2, 99)),
    }
    for field, value in fields.items():
        text = text.replace("{" + field + "}", value)
    return [(_TEMPLATES["request"].sample(rng, held_out, d=snippet["does"], n=function), text)]
