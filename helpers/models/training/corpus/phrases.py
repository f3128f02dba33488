"""Templates with alternatives: `[a|b]` is one of a or b, nested at will; `{name}` is a field for the caller to fill in.

A phrasing is one expansion of a template, its fields still open. About one phrasing of ten, chosen by a checksum of its
words, is held out: training never uses it, evaluation uses nothing else. The words and the parts of held-out phrasings
do occur in training, in other phrasings.

>>> fill(Phrase("[what|What] is {x}[?|]").sample(random.Random(0)), x="a token")
'What is a token?'
"""

import random
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

HELD_OUT_SHARE = 0.1
# One that leaves the plainest questions ("What is X?") in training.
_SPLIT_SEED = 114
Node = str | tuple["Sequence", ...]
Sequence = tuple["Node", ...]


class Phrase:
    """One template, parsed once.

    Args:
        template: text with `[a|b]` alternatives and `{name}` fields; an alternative may be empty.

    Raises:
        ValueError: brackets that do not match.
    """

    def __init__(self, template: str) -> None:
        self.template = template
        choice, end = _parse(template, 0)
        if end != len(template):
            raise ValueError(f"unmatched bracket in {template!r}")
        self._choice = choice

    def sample(self, rng: random.Random) -> str:
        """One phrasing, each alternative with the same probability."""
        return _sample(self._choice, rng)


class PhraseSet:
    """Templates of one meaning.

    Args:
        templates: at least one.
        split: whether a share of the phrasings is held out; without, training and evaluation use all.
    """

    def __init__(self, templates: Iterable[str], split: bool = False) -> None:
        self.phrases = [Phrase(template) for template in templates]
        self.split = split

    def pick(self, rng: random.Random, held_out: bool = False) -> str:
        """One phrasing of the wanted side, its fields open."""
        while True:
            phrasing = rng.choice(self.phrases).sample(rng)
            if not self.split or is_held_out(phrasing) == held_out:
                return phrasing

    def sample(self, rng: random.Random, held_out: bool = False, /, **fields: str) -> str:
        """One phrasing of the wanted side, its fields filled in."""
        return fill(self.pick(rng, held_out), **fields)


def is_held_out(phrasing: str) -> bool:
    """Whether training leaves this phrasing out; case, end marks and the number of a verb make no difference."""
    words = phrasing.lower().replace("{is}", "is").replace("{does}", "does").strip(" .?!:\n")
    return crc32(words.encode(), _SPLIT_SEED) % 1000 < 1000 * HELD_OUT_SHARE


def fill(phrasing: str, **fields: str) -> str:
    """The phrasing with its fields filled in."""
    for name, value in fields.items():
        phrasing = phrasing.replace("{" + name + "}", value)
    return phrasing


def load_templates(kind: str) -> dict[str, PhraseSet]:
    """The templates of a kind of text, by meaning; from templates/KIND.toml."""
    return {
        name: PhraseSet(table["phrases"], table.get("split", False)) for name, table in read_templates(kind).items()
    }


@cache
def read_templates(kind: str) -> dict[str, dict[str, Any]]:
    """The content of templates/KIND.toml."""
    path = Path(__file__).parent / "templates" / f"{kind}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _parse(template: str, start: int) -> tuple[tuple[Sequence, ...], int]:
    alternatives: list[Sequence] = []
    sequence: list[Node] = []
    text = ""
    index = start
    while index < len(template):
        character = template[index]
        if character == "[":
            choice, index = _parse(template, index + 1)
            if index >= len(template):
                raise ValueError(f"unmatched bracket in {template!r}")
            sequence += [text, choice]
            text = ""
        elif character == "|" and start > 0:
            alternatives.append((*sequence, text))
            sequence, text = [], ""
        elif character == "]":
            break
        else:
            text += character
        index += 1
    alternatives.append((*sequence, text))
    return tuple(alternatives), index


def _sample(choice: tuple[Sequence, ...], rng: random.Random) -> str:
    sequence = choice[0] if len(choice) == 1 else rng.choice(choice)
    return "".join(node if isinstance(node, str) else _sample(node, rng) for node in sequence)
