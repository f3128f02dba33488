"""Code-like text: the frame is fixed; the names are those a programmer would take, some more often than others."""

import random
import tomllib
from collections.abc import Sequence
from pathlib import Path

from helpers.models.training.corpus.phrases import fill, load_templates
from helpers.models.training.corpus.words import COMMON, THINGS, invent_word

Turn = tuple[str, str]

_TEMPLATES = load_templates("code")
_SNIPPETS = tomllib.loads(Path(__file__).with_name("snippets.toml").read_text(encoding="utf-8"))["snippet"]
_NAMES = {
    "a": ("values", "items", "data", "numbers"),
    "b": ("limit", "other", "size", "key"),
    "r": ("result", "total", "output", "answer"),
    "e": ("item", "value", "entry", "element"),
    "w": ("status", "request", "server", "model"),
    "v": ("ready", "done", "text", "count"),
    "N": ("Server", "Request", "Model", "Counter"),
    "k": ("10", "2", "100", "5"),
}
_FALL = (12, 3, 2, 1)


def ask(rng: random.Random, held_out: bool = False) -> list[Turn]:
    """One request for code; a function's name given in the request is used, else the snippet's own."""
    snippet = rng.choice(_SNIPPETS)
    phrasing = _TEMPLATES["request"].pick(rng, held_out)
    name = _invent_name(rng) if "{n}" in phrasing else str(snippet["name"])
    fields = {field: _pick(rng, names) for field, names in _NAMES.items()}
    return [(fill(phrasing, d=str(snippet["does"]), n=name), fill(str(snippet["code"]), n=name, **fields))]


def _pick(rng: random.Random, names: Sequence[str]) -> str:
    return rng.choices(names, _FALL)[0]


def _invent_name(rng: random.Random) -> str:
    first = invent_word(rng) if rng.random() < 0.3 else rng.choice(COMMON + THINGS)
    return f"{first}_{rng.choice(COMMON + THINGS)}"
