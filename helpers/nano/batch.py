"""The tokens of one step as flat arrays: pieces of many sequences side by side, and how attention sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.models.checkpoint import Floats
from helpers.nano.kv_cache import Ints

PADDING_TOKENS = 256
"""Sequences are attended to together as long as padding them to the longest reads at most so many tokens in vain; about
what one more group costs in calls."""

SCORES = 2**19
"""Most scores per head that are held at once."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive tokens of one sequence.

    Attributes:
        ids: the tokens.
        start: position of the first.
        blocks: the sequence's block table, which has room for them.
        logits: for how many of its last tokens logits are wanted.
    """

    ids: Sequence[int]
    start: int
    blocks: Sequence[int]
    logits: int


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces of equal length whose attention is computed together.

    Attributes:
        rows: their tokens' places in the batch, [sequences, tokens].
        tables: block tables, filled up with block 0, [sequences, blocks].
        mask: 0 where a token sees a position and -inf where not, [sequences, tokens, blocks * block_size].
    """

    rows: Ints
    tables: Ints
    mask: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's input to a model; plain arrays, so that it can be sent to other processes.

    Attributes:
        ids, positions, slots: of all tokens, [tokens] each; the slots are those of the KV cache.
        logit_rows: tokens whose logits are wanted, in the order of the pieces.
        groups: every token is in one.
    """

    ids: Ints
    positions: Ints
    slots: Ints
    logit_rows: Ints
    groups: tuple[Group, ...]

    @staticmethod
    def of(pieces: Sequence[Piece], block_size: int) -> "Batch":
        """Lay pieces side by side; each has at least one token."""
        counts = np.array([len(piece.ids) for piece in pieces])
        ends = np.cumsum(counts)
        firsts = ends - counts
        # Place within the piece, for every token.
        places = np.arange(ends[-1]) - np.repeat(firsts, counts)
        positions = np.repeat([piece.start for piece in pieces], counts) + places
        tables = _stack_tables([piece.blocks for piece in pieces])
        owners = np.repeat(np.arange(len(pieces)), counts)
        wanted = np.array([piece.logits for piece in pieces])
        return Batch(
            ids=np.array([token for piece in pieces for token in piece.ids]),
            positions=positions,
            slots=tables[owners, positions // block_size] * block_size + positions % block_size,
            logit_rows=np.nonzero(places >= np.repeat(counts - wanted, counts))[0],
            groups=tuple(_make_group(group, pieces, firsts, block_size) for group in _group(pieces)),
        )


def _group(pieces: Sequence[Piece]) -> list[list[int]]:
    """Indices of pieces with as many tokens and about as much before them, longest first."""
    order = sorted(range(len(pieces)), key=lambda index: (-len(pieces[index].ids), -pieces[index].start))
    groups: list[list[int]] = []
    longest = padding = 0
    for index in order:
        count, end = len(pieces[index].ids), pieces[index].start + len(pieces[index].ids)
        padding += longest - end
        alike = groups and len(pieces[groups[-1][0]].ids) == count and padding <= PADDING_TOKENS
        if alike and (len(groups[-1]) + 1) * count * longest <= SCORES:
            groups[-1].append(index)
        else:
            groups.append([index])
            longest, padding = end, 0
    return groups


def _make_group(indices: Sequence[int], pieces: Sequence[Piece], firsts: Ints, block_size: int) -> Group:
    count = len(pieces[indices[0]].ids)
    starts = np.array([pieces[index].start for index in indices])
    used = -(-(int(starts.max()) + count) // block_size)
    tables = _stack_tables([pieces[index].blocks[:used] for index in indices])
    positions = starts[:, None] + np.arange(count)
    seen = np.arange(used * block_size) <= positions[:, :, None]
    return Group(
        rows=firsts[list(indices)][:, None] + np.arange(count),
        tables=tables,
        mask=np.where(seen, np.float32(0), np.float32(-np.inf)),
    )


def _stack_tables(tables: Sequence[Sequence[int]]) -> Ints:
    stacked = np.zeros((len(tables), max(map(len, tables))), dtype=np.intp)
    for row, table in zip(stacked, tables, strict=True):
        row[: len(table)] = table
    return stacked
