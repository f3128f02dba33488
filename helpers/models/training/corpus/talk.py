"""Small talk: what the model is, what it can do, greetings."""

import random

from helpers.models.training.corpus.phrases import load_templates, read_templates

Turn = tuple[str, str]

_TEMPLATES = load_templates("talk")
_ANSWERS = {name: str(table["answer"]) for name, table in read_templates("talk").items()}


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One turn of small talk."""
    name = rng.choice(list(_TEMPLATES))
    return [(_TEMPLATES[name].sample(rng, held_out), _ANSWERS[name])]
