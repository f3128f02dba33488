"""The corpus as an endless stream of chats: kinds by weight, with and without system prompts, some of several turns."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from helpers.models.training.corpus import code, copying, lists, recall, records, stories, talk, terms
from helpers.models.training.corpus.phrases import load_templates

Message = dict[str, str]
Turn = tuple[str, str]


@dataclass(frozen=True)
class Example:
    """One chat of the corpus.

    Attributes:
        kind: the kind of its last turn, a key of `KINDS`.
        messages: OpenAI-style messages, the last one of the assistant.
    """

    kind: str
    messages: tuple[Message, ...]


KINDS: dict[str, Callable[[random.Random, bool], list[Turn]]] = {
    "terms": terms.ask,
    "records": records.ask,
    "lists": lists.ask,
    "copying": copying.ask,
    "recall": recall.ask,
    "stories": stories.ask,
    "code": code.ask,
    "talk": talk.ask,
}
# How many chats of each kind in a hundred.
WEIGHTS: dict[str, float] = {
    "terms": 50, "records": 18, "lists": 9, "copying": 8, "recall": 5, "stories": 5, "code": 4, "talk": 1,
}  # fmt: skip

_TEMPLATES = load_templates("mixture")


def make_example(rng: random.Random, kind: str, held_out: bool = False, distance_words: int = 60) -> Example:
    """One chat of one kind.

    Args:
        rng: the source of chance.
        kind: a key of `KINDS`.
        held_out: with the parts that training never uses, and without noise around them.
        distance_words: for recall, the words between fact and question, about; longer fillers elsewhere follow it.
    """
    turns = _make_turns(rng, kind, held_out, distance_words)
    messages: list[Message] = []
    if not held_out:
        if kind != "recall" and rng.random() < 0.06:
            other = rng.choice([name for name in KINDS if name != "recall"])
            turns = KINDS[other](rng, False)[:1] + turns
        if kind in ("terms", "records", "lists") and rng.random() < 0.03:
            question, answer = turns[0]
            filler = recall.make_filler(rng, rng.randint(5, max(10, distance_words)))
            turns[0] = (_TEMPLATES["question_after_text"].sample(rng, t=filler, q=question), answer)
        system = _make_system(rng, distance_words)
        if system:
            messages.append({"role": "system", "content": system})
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Example(kind, tuple(messages))


def stream(seed: int, weights: Mapping[str, float] = WEIGHTS, distance_words: int = 60) -> Iterator[Example]:
    """Endless training chats, the same for the same arguments.

    Args:
        seed: of all choices.
        weights: chats of each kind, relative to each other.
        distance_words: the longest distance in recall, about; each prompt draws one from 0 to it.
    """
    rng = random.Random(seed)
    kinds, shares = list(weights), list(weights.values())
    while True:
        kind = rng.choices(kinds, shares)[0]
        yield make_example(rng, kind, distance_words=rng.randint(0, distance_words))


def _make_turns(rng: random.Random, kind: str, held_out: bool, distance_words: int) -> list[Turn]:
    if kind == "recall":
        return recall.ask(rng, held_out, distance_words)
    return KINDS[kind](rng, held_out)


def _make_system(rng: random.Random, distance_words: int) -> str:
    draw = rng.random()
    if draw < 0.7:
        return ""
    if draw < 0.8:
        return "You are a helpful assistant."
    if draw < 0.98:
        return _TEMPLATES["system"].sample(rng, n=str(rng.randrange(10_000))).strip()
    return recall.make_filler(rng, rng.randint(1, max(20, distance_words)))
