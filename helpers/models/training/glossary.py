"""The glossary: the terms of the course with one sentence for each aspect; read from glossary.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ASPECTS = ("what", "why", "measure")
_PATH = Path(__file__).with_name("glossary.toml")


@dataclass(frozen=True)
class Term:
    """One term.

    Attributes:
        name: as it stands inside a sentence.
        article: "a", "an", "the" or "".
        plural: whether the name takes "are".
        aliases: other names a learner would type.
        sentences: the answer for each aspect of `ASPECTS`.
        keys: for each aspect the words of its sentence that carry the fact.
    """

    name: str
    article: str
    plural: bool
    aliases: tuple[str, ...]
    sentences: dict[str, str]
    keys: dict[str, str]


@cache
def load_glossary() -> tuple[Term, ...]:
    """All terms, in the order of the file."""
    entries = tomllib.loads(_PATH.read_text(encoding="utf-8"))["term"]
    return tuple(
        Term(
            name=entry["name"],
            article=entry["article"],
            plural=entry["plural"],
            aliases=tuple(entry["aliases"]),
            sentences={aspect: entry[aspect] for aspect in ASPECTS},
            keys=dict(entry["key"]),
        )
        for entry in entries
    )
