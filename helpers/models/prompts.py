"""Prompts in three classes of predictability, for speculation: how well can a small draft guess what follows?

The free class is meant to be sampled at temperature 1: at temperature 0 even a story is one fixed text, most of whose
words a draft trained on the target's words can guess. The prompts are in prompts.toml.
"""

import tomllib
from functools import cache
from pathlib import Path

from helpers.errors import UsageError

PROMPT_CLASSES: dict[str, float] = {"predictable": 0.0, "semi": 0.0, "free": 1.0}
"""Class -> the temperature it is meant for, from the most to the least predictable."""

_PATH = Path(__file__).with_name("prompts.toml")


def prompt_class(name: str) -> list[str]:
    """The prompts of a class.

    Args:
        name: predictable (counting, lists, explanations), semi (JSON, stories) or free (stories).

    Raises:
        UsageError: no such class.
    """
    if name not in PROMPT_CLASSES:
        raise UsageError(f"unknown prompt class {name!r}", f"there are {', '.join(PROMPT_CLASSES)}")
    return list(_read()[name])


@cache
def _read() -> dict[str, list[str]]:
    classes: dict[str, list[str]] = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return classes
