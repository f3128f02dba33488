"""Batches of packed chats: each depends on the seed and the step alone, so that a run can resume anywhere."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.models.training.corpus.mixture import KINDS, WEIGHTS, Example, make_example
from helpers.models.training.tokenizer import END_OF_TEXT_ID, IM_END_ID, IM_START_ID

KIND_NAMES = tuple(KINDS)
_MAX_MISFITS = 8
_FIRST_WORDS = 16


@dataclass(frozen=True)
class Batch:
    """Packed rows.

    Attributes:
        inputs: token ids, [rows, length].
        positions: where something is to be learnt (the assistant's words and its end), as flat indices of `inputs`,
            [half of all]; unused ones at the end are 0.
        targets: the ids that follow there, [half of all].
        kinds: 1 + index in `KIND_NAMES` of each, 0 for unused ones.
    """

    inputs: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]


def encode_example(tokenizer: Any, example: Example, longest_answer: int | None = None) -> tuple[list[int], list[int]]:
    """Token ids of a chat, closed by the end-of-text token, and for each id its kind (0: not to be learnt).

    Args:
        tokenizer: of the `tokenizers` package.
        example: the chat.
        longest_answer: tokens after which the last answer is cut off, without an end.
    """
    ids: list[int] = []
    kinds: list[int] = []
    kind = 1 + KIND_NAMES.index(example.kind)
    for message in example.messages:
        head = [IM_START_ID, *tokenizer.encode(f"{message['role']}\n").ids]
        body = [*tokenizer.encode(message["content"]).ids, IM_END_ID]
        tail = tokenizer.encode("\n").ids
        learn = kind if message["role"] == "assistant" else 0
        ids += head + body + tail
        kinds += [0] * len(head) + [learn] * len(body) + [0] * len(tail)
    if longest_answer is not None and len(body) > longest_answer:
        surplus = len(body) - longest_answer + len(tail)
        ids, kinds = ids[:-surplus], kinds[:-surplus]
    return [*ids, END_OF_TEXT_ID], [*kinds, 0]


def make_batch(
    tokenizer: Any,
    seed: int,
    step: int,
    rows: int,
    length: int,
    distance_words: int,
    weights: Mapping[str, float] = WEIGHTS,
    cut_share: float = 0.0,
) -> Batch:
    """The batch of one step: whole chats fitted into rows; the rest of a row is end-of-text tokens, not learnt.

    Args:
        tokenizer: of the `tokenizers` package.
        seed, step: decide all choices.
        rows, length: the size of the batch.
        distance_words: the longest distance of facts to recall, about.
        weights: chats of each kind, relative to each other.
        cut_share: of the glossary answers that end after their first words, see `Stage`.
    """
    rng = random.Random(seed * 1_000_003 + step)
    names, shares = list(weights), list(weights.values())
    ids = np.full((rows, length + 1), END_OF_TEXT_ID, dtype=np.int64)
    kinds = np.zeros((rows, length + 1), dtype=np.int64)
    filled = [0] * rows
    misfits = 0
    while misfits < _MAX_MISFITS:
        distance = rng.randint(0, distance_words)
        example = make_example(rng, rng.choices(names, shares)[0], distance_words=distance)
        cut = example.kind == "terms" and rng.random() < cut_share
        example_ids, example_kinds = encode_example(tokenizer, example, _FIRST_WORDS if cut else None)
        size = len(example_ids)
        row = next((row for row in range(rows) if filled[row] + size <= length + 1), None)
        if row is None:
            misfits += 1
            continue
        ids[row, filled[row] : filled[row] + size] = example_ids
        kinds[row, filled[row] : filled[row] + size] = example_kinds
        filled[row] += size
    learnt = np.flatnonzero(kinds[:, 1:])[: rows * length // 2]
    positions = np.zeros(rows * length // 2, dtype=np.int64)
    positions[: len(learnt)] = learnt
    unused = np.arange(len(positions)) >= len(learnt)
    return Batch(
        inputs=ids[:, :-1].copy(),
        positions=positions,
        targets=ids[:, 1:].flatten()[positions],
        kinds=np.where(unused, 0, kinds[:, 1:].flatten()[positions]),
    )
