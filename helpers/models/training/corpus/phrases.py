"""Templates with alternatives: `[a|b]` is one of a or b, nested at will; `{name}` is filled in by the caller.

>>> Phrase("[what|What] is {x}[?|]").sample(random.Random(0), x="a token")
'What is a token?'
"""

import random
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

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

    def sample(self, rng: random.Random, **fields: str) -> str:
        """One expansion, each alternative with the same probability, with the fields filled in."""
        text = _sample(self._choice, rng)
        for name, value in fields.items():
            text = text.replace("{" + name + "}", value)
        return text


class PhraseSet:
    """Phrases of one meaning; some may be kept out of training.

    Args:
        train: templates for training.
        held_out: templates that only evaluation uses; if there are none, evaluation uses those for training.
    """

    def __init__(self, train: Iterable[str], held_out: Iterable[str] = ()) -> None:
        self.train = [Phrase(template) for template in train]
        self.held_out = [Phrase(template) for template in held_out] or self.train

    def pick(self, rng: random.Random, held_out: bool = False) -> Phrase:
        """One template of the wanted side."""
        phrases = self.held_out if held_out else self.train
        return phrases[0] if len(phrases) == 1 else rng.choice(phrases)

    def sample(self, rng: random.Random, held_out: bool = False, /, **fields: str) -> str:
        """One expansion of one template of the wanted side."""
        return self.pick(rng, held_out).sample(rng, **fields)


def load_templates(kind: str) -> dict[str, PhraseSet]:
    """The templates of a kind of text, by meaning; from templates/KIND.toml."""
    return {name: PhraseSet(table["train"], table.get("held_out", ())) for name, table in read_templates(kind).items()}


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
