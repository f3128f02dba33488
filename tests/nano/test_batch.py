import pickle

import numpy as np

from helpers.nano.batch import PADDING_TOKENS, Batch, Piece


def test_pieces_lie_side_by_side() -> None:
    batch = Batch.of([Piece([7, 8, 9], 2, [5, 1], 0), Piece([4], 0, [2], 1), Piece([3, 2], 3, [0, 4, 6], 2)], 3)
    assert batch.ids.tolist() == [7, 8, 9, 4, 3, 2]
    assert batch.positions.tolist() == [2, 3, 4, 0, 3, 4]
    assert batch.slots.tolist() == [17, 3, 4, 6, 12, 13]
    assert batch.logit_rows.tolist() == [3, 4, 5]


def test_every_token_is_in_one_group_and_sees_itself_and_what_is_before_it() -> None:
    pieces = [
        Piece([1], 4, [0, 1, 2], 1),
        Piece([1, 1], 0, [3], 1),
        Piece([1], 2, [4, 5], 1),
        Piece([1, 1], 3, [6, 7, 8], 0),
    ]
    batch = Batch.of(pieces, 2)
    rows = np.concatenate([group.rows.reshape(-1) for group in batch.groups])
    assert sorted(rows.tolist()) == list(range(6))
    for group in batch.groups:
        for row, mask in zip(group.rows.reshape(-1), group.mask.reshape(group.rows.size, -1), strict=True):
            seen = np.isfinite(mask)
            assert seen.sum() == batch.positions[row] + 1
            assert seen[: batch.positions[row] + 1].all()


def test_decoding_sequences_are_grouped_by_length() -> None:
    long = [Piece([1], PADDING_TOKENS * 4 + extra, list(range(400)), 1) for extra in range(4)]
    short = [Piece([1], 10 + extra, list(range(400)), 1) for extra in range(4)]
    groups = Batch.of([*short, *long], 16).groups
    assert [len(group.rows) for group in groups] == [4, 4]
    assert groups[0].tables.shape[1] > groups[1].tables.shape[1]


def test_it_can_be_sent_to_another_process() -> None:
    batch = Batch.of([Piece([1, 2], 0, [0], 1)], 4)
    copy = pickle.loads(pickle.dumps(batch))
    assert copy.ids.tolist() == [1, 2]
    assert copy.groups[0].rows.tolist() == [[0, 1]]
