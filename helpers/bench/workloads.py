"""What is asked: prompts of exact length, unique by default, and how long the answers are.

A `Workload` is a description; `make_prompts` turns it into prompts once it is known how the model counts tokens.
Unique prompts differ from their first token on, so that no prefix cache can help; prompts share a prefix only where
the workload says so.
"""

import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from helpers.bench.tokens import TokenCounter
from helpers.errors import UsageError

WORDS: tuple[str, ...] = tuple(json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8")))
"""What made-up prompts consist of: short common words, most with a first token of their own in any vocabulary."""

ATTEMPTS = 16
"""Tries to hit a prompt length exactly before the nearest one is taken and noted."""


FITTING_TRIED = 32
"""Words looked at for one that fills the last gap; where the server counts, each costs a request once."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What each request asks.

    Attributes:
        name: for tables.
        input_tokens: prompt lengths after the chat template, taken in turn; empty where the prompts are given.
        output_tokens: answer lengths, taken in turn.
        fixed_output: ask the engine not to end before that (ignore_eos), where it can.
        given: prompts as they are, taken in turn; empty for made ones.
        shared_tokens: tokens of a system prompt that the requests of one group share.
        groups: how many such system prompts there are, taken in turn.
        seed: of the words.
        options: further fields of every request, such as temperature.
    """

    name: str
    input_tokens: tuple[int, ...] = ()
    output_tokens: tuple[int, ...] = (64,)
    fixed_output: bool = True
    given: tuple[str, ...] = ()
    shared_tokens: int = 0
    groups: int = 1
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.input_tokens) == bool(self.given):
            raise UsageError("a workload has either prompt lengths or prompts")
        for name in ("input_tokens", "output_tokens"):
            if any(not isinstance(length, int) or length < 1 for length in getattr(self, name)):
                raise UsageError(f"{name} must be whole numbers of at least 1, not {getattr(self, name)!r}")
        if not self.output_tokens or self.groups < 1 or self.shared_tokens < 0:
            raise UsageError("a workload needs output_tokens, and at least one group")

    @property
    def unique(self) -> bool:
        """True if no prompt shares its beginning with another."""
        return not self.given and not self.shared_tokens

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, given prompts included."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Workload":
        """`to_json`'s inverse."""
        tuples = {name: tuple(value[name]) for name in ("input_tokens", "output_tokens", "given")}
        return cls(**{**value, **tuples})


def unique_prompts(
    input_tokens: int | Sequence[int] = 128,
    output_tokens: int | Sequence[int] = 64,
    *,
    seed: int | None = None,
    fixed_output: bool = True,
    **options: Any,
) -> Workload:
    """Prompts of random words, each different from the first token on.

    Args:
        input_tokens: prompt length after the chat template; several are taken in turn.
        output_tokens: answer length; several are taken in turn.
        seed: None draws one, so that a server that was measured before has not seen these prompts. With a seed,
            later calls of one process go on where earlier ones stopped, for the same reason.
        fixed_output: ask the engine not to end earlier.
        **options: further fields of every request; temperature is 0 unless given.
    """
    return Workload(
        name="unique prompts",
        input_tokens=_lengths(input_tokens),
        output_tokens=_lengths(output_tokens),
        fixed_output=fixed_output,
        seed=_seed(seed),
        options={"temperature": 0, **options},
    )


def shared_prefix(
    shared_tokens: int,
    input_tokens: int | Sequence[int] = 128,
    output_tokens: int | Sequence[int] = 64,
    *,
    groups: int = 1,
    seed: int | None = None,
    fixed_output: bool = True,
    **options: Any,
) -> Workload:
    """Prompts that share a system prompt of `shared_tokens`, on purpose; input_tokens counts it in."""
    return Workload(
        name="shared prefix",
        input_tokens=_lengths(input_tokens),
        output_tokens=_lengths(output_tokens),
        fixed_output=fixed_output,
        shared_tokens=shared_tokens,
        groups=groups,
        seed=_seed(seed),
        options={"temperature": 0, **options},
    )


def given_prompts(
    prompts: Sequence[str],
    output_tokens: int | Sequence[int] = 64,
    *,
    name: str = "given prompts",
    fixed_output: bool = False,
    **options: Any,
) -> Workload:
    """These prompts, taken in turn; answers may end by themselves unless `fixed_output`."""
    return Workload(
        name=name,
        output_tokens=_lengths(output_tokens),
        fixed_output=fixed_output,
        given=tuple(prompts),
        options={"temperature": 0, **options},
    )


def class_prompts(name: str, output_tokens: int | Sequence[int] = 64, *, seed: int = 0) -> Workload:
    """A class of the course model's prompts: predictable, semi or free (sampled at temperature 1).

    Raises:
        UsageError: there is no such class.
    """
    from helpers.models import prompts

    temperature = 1.0 if name == "free" else 0.0
    return given_prompts(
        prompts.prompt_class(name), output_tokens, name=f"{name} text", temperature=temperature, seed=seed
    )


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request's words.

    Attributes:
        messages: chat messages.
        input_tokens: exact length after the chat template; None if it was not counted.
        output_tokens: longest answer.
    """

    messages: list[dict[str, str]]
    input_tokens: int | None
    output_tokens: int


def make_prompts(workload: Workload, tokens: TokenCounter, start: int, count: int) -> list[Prompt]:
    """Prompts number `start` to `start + count - 1` of a workload; the same numbers give the same prompts.

    Raises:
        UsageError: a prompt length that is too short for the chat template and a word or two.
    """
    return [_make_prompt(workload, tokens, number) for number in range(start, start + count)]


def _make_prompt(workload: Workload, tokens: TokenCounter, number: int) -> Prompt:
    output_tokens = workload.output_tokens[number % len(workload.output_tokens)]
    if workload.given:
        text = workload.given[number % len(workload.given)]
        return Prompt([{"role": "user", "content": text}], None, output_tokens)
    wanted = workload.input_tokens[number % len(workload.input_tokens)]
    messages = []
    if workload.shared_tokens:
        group = number % workload.groups
        messages.append({"role": "system", "content": _shared_text(workload, tokens, group)})
    template = tokens.template((*(message["role"] for message in messages), "user"))
    head = sum(tokens.count(message["content"]) for message in messages)
    room = wanted - template - head
    if room < 2:
        raise UsageError(
            f"a prompt of {wanted} tokens is too short",
            f"the chat template and the shared part take {template + head}, and a prompt needs at least 2 more",
            f"use input_tokens={template + head + 2} or more",
        )
    draw = random.Random(f"{workload.seed}-{number}")
    text = make_text(tokens, room, draw, first_words(workload.seed, number))
    messages.append({"role": "user", "content": text})
    return Prompt(messages, template + head + tokens.count(text), output_tokens)


def _shared_text(workload: Workload, tokens: TokenCounter, group: int) -> str:
    draw = random.Random(f"{workload.seed}-shared-{group}")
    return make_text(tokens, workload.shared_tokens, draw, first_words(workload.seed, group))


def first_words(seed: int, number: int) -> list[str]:
    """The words a prompt begins with: its number, written in words as digits, the lowest first.

    So any `len(WORDS)` prompts in a row differ in their first word, and all prompts of one seed in the first three.
    """
    order = list(WORDS)
    random.Random(f"order-{seed}").shuffle(order)
    digits = []
    for _ in range(3):
        number, digit = divmod(number, len(order))
        digits.append(order[digit])
    return digits


def make_text(tokens: TokenCounter, length: int, draw: random.Random, beginning: Sequence[str]) -> str:
    """Random words that count as exactly `length` tokens, or as near as `ATTEMPTS` tries come."""
    best = ""
    for _ in range(ATTEMPTS):
        text = _compose(tokens, length, draw, beginning)
        if best == "" or abs(tokens.count(text) - length) < abs(tokens.count(best) - length):
            best = text
        if tokens.count(best) == length:
            break
    return best


def _compose(tokens: TokenCounter, length: int, draw: random.Random, beginning: Sequence[str]) -> str:
    """Add words by their own token counts; a full stop fills a gap that is smaller than any word."""
    pieces: list[str] = []
    room = length
    queue = list(beginning)
    while room > 0:
        space = " " if pieces else ""
        piece = space + (queue.pop(0) if queue else draw.choice(WORDS))
        if tokens.piece(piece) > room:
            candidates = [space + word for word in draw.sample(WORDS, FITTING_TRIED)]
            fitting = [other for other in candidates if tokens.piece(other) == room]
            ended = not pieces or pieces[-1] == "."
            if not fitting and ended:
                break
            piece = draw.choice(fitting) if fitting else "."
        pieces.append(piece)
        room -= tokens.piece(piece)
    return "".join(pieces)


def _lengths(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _seed(seed: int | None) -> int:
    return secrets.randbelow(2**31) if seed is None else seed
