"""The paged model against `helpers.models.llama`, which has one sequence and a contiguous cache."""

import itertools
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from helpers.errors import UsageError
from helpers.nano.batch import Batch, Piece
from helpers.nano.kv_cache import KvCache
from helpers.nano.model import Forward, Model
from tests.nano.tiny import CONFIG, make_tiny

LLAMA = make_tiny()
RANDOM = np.random.default_rng(3)
SEQUENCES = [RANDOM.integers(0, CONFIG.vocabulary_size, length).tolist() for length in (17, 5, 30, 1)]
TABLES = [[9, 2, 11, 30, 4], [3, 10], [20, 8, 31, 1, 25, 0, 14, 6], [5]]
"""Blocks of 4 in no order."""


def run_whole(model: Model, cache: KvCache, chunks: Sequence[int] = ()) -> list[np.ndarray]:
    """Logits of all tokens of all sequences, with each sequence cut at these places."""
    collected: list[list[np.ndarray]] = [[] for _ in SEQUENCES]
    edges = [0, *chunks, max(map(len, SEQUENCES))]
    for start, end in itertools.pairwise(edges):
        pieces, owners = [], []
        for index, (ids, table) in enumerate(zip(SEQUENCES, TABLES, strict=True)):
            if ids[start:end]:
                pieces.append(Piece(ids[start:end], start, table, len(ids[start:end])))
                owners.append(index)
        logits = model.forward(Batch.of(pieces, 4), cache).logits
        for owner, piece in zip(owners, pieces, strict=True):
            collected[owner].append(logits[: len(piece.ids)])
            logits = logits[len(piece.ids) :]
    return [np.concatenate(parts) for parts in collected]


@pytest.mark.parametrize("chunks", [(), (4,), (1, 2, 3, 10, 29), (7, 16)])
def test_paged_batched_and_chunked_is_contiguous_alone_and_whole(chunks: Sequence[int]) -> None:
    model = Model(LLAMA)
    for ids, logits in zip(SEQUENCES, run_whole(model, model.make_cache(32, 4), chunks), strict=True):
        np.testing.assert_allclose(logits, LLAMA.forward(ids, LLAMA.new_cache(len(ids))), atol=2e-5)


def test_int8_keys_and_values_change_little() -> None:
    model = Model(LLAMA)
    exact = np.concatenate(run_whole(model, model.make_cache(32, 4)))
    rounded = np.concatenate(run_whole(model, model.make_cache(32, 4, "int8")))
    difference = np.abs(exact - rounded).max()
    assert 0 < difference < 0.05 * np.abs(exact).max()


def test_logits_only_where_they_are_wanted() -> None:
    model = Model(LLAMA)
    pieces = [Piece(ids, 0, table, wanted) for ids, table, wanted in zip(SEQUENCES, TABLES, (1, 0, 3, 1), strict=True)]
    logits = model.forward(Batch.of(pieces, 4), model.make_cache(32, 4)).logits
    full = run_whole(model, model.make_cache(32, 4))
    np.testing.assert_allclose(logits, np.concatenate([full[0][-1:], full[2][-3:], full[3]]), atol=2e-5)


def test_features_are_the_inputs_of_the_layers_asked_for() -> None:
    model = Model(LLAMA)
    batch = Batch.of([Piece(SEQUENCES[0], 0, TABLES[0], 1)], 4)
    features = model.forward(batch, model.make_cache(32, 4), (0, 2, CONFIG.layers)).features
    assert features is not None
    assert features.shape == (len(SEQUENCES[0]), 3 * CONFIG.width)
    np.testing.assert_array_equal(features[:, : CONFIG.width], LLAMA.embedding[SEQUENCES[0]])
    # The last one's output leads to the logits.
    last = features[-1:, 2 * CONFIG.width :]
    normed = last / np.sqrt((last**2).mean() + CONFIG.norm_epsilon) * LLAMA.final_norm
    np.testing.assert_allclose(
        normed @ LLAMA.output.T, model.forward(batch, model.make_cache(32, 4)).logits, rtol=1e-4, atol=1e-5
    )
    assert model.forward(batch, model.make_cache(32, 4)).features is None


def test_two_ranks_that_add_up_are_the_whole_model() -> None:
    parts: list[np.ndarray | None] = [None, None]
    barrier = threading.Barrier(2, timeout=30)
    results: dict[int, Forward] = {}

    def work(rank: int) -> None:
        def add(values: np.ndarray) -> None:
            parts[rank] = values.copy()
            barrier.wait()
            first, second = parts
            assert first is not None
            assert second is not None
            values[:] = first + second
            barrier.wait()

        model = Model(LLAMA, rank=rank, ranks=2, all_reduce=add)
        batch = Batch.of([Piece(SEQUENCES[2], 0, TABLES[2], 5)], 4)
        results[rank] = model.forward(batch, model.make_cache(32, 4))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = LLAMA.forward(SEQUENCES[2], LLAMA.new_cache(40))[-5:]
    for rank in range(2):
        np.testing.assert_allclose(results[rank].logits, whole, atol=2e-5)


def test_a_share_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be shared by 3 ranks"):
        Model(LLAMA, rank=0, ranks=3)
