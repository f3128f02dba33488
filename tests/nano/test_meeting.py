import threading

import numpy as np
import pytest

from helpers.errors import EngineFailed
from helpers.nano.meeting import Meeting, make_seats

ROUNDS = 300


@pytest.fixture(autouse=True)
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long sums need several meetings."""
    monkeypatch.setattr("helpers.nano.meeting.CAPACITY", 40)


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_ranks_get_the_same_sums_however_they_hurry(ranks: int) -> None:
    random = np.random.default_rng(0)
    parts = random.standard_normal((ROUNDS, ranks, 64)).astype(np.float32)
    sizes = random.integers(1, 64, ROUNDS)
    sums: list[list[np.ndarray]] = [[] for _ in range(ranks)]
    meetings = [Meeting(seat) for seat in make_seats(ranks)]

    def attend(meeting: Meeting) -> None:
        for part, size in zip(parts, sizes, strict=True):
            values = part[meeting.rank, :size].copy()
            meeting.add(values)
            sums[meeting.rank].append(values)

    threads = [threading.Thread(target=attend, args=(meeting,)) for meeting in meetings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number, size in enumerate(sizes):
        np.testing.assert_allclose(sums[0][number], parts[number, :, :size].sum(axis=0), rtol=1e-5, atol=1e-6)
        for rank in range(1, ranks):
            assert np.array_equal(sums[rank][number], sums[0][number])
    for meeting in meetings:
        meeting.leave()


def test_a_rank_does_not_wait_for_one_that_has_left() -> None:
    one, other = (Meeting(seat) for seat in make_seats(2))
    other.leave()
    with pytest.raises(EngineFailed, match="process of the tensor-parallel model has ended"):
        one.add(np.zeros(4, dtype=np.float32))
    one.leave()


def test_it_can_wait_longer_than_it_looks() -> None:
    one, other = (Meeting(seat) for seat in make_seats(2))
    late = threading.Timer(0.1, other.add, [np.ones(1, dtype=np.float32)])
    late.start()
    values = np.ones(1, dtype=np.float32)
    one.add(values)
    assert values[0] == 2.0
    late.join()
    for meeting in (one, other):
        meeting.leave()
