from pathlib import Path

import pytest

from helpers.bench import machine
from helpers.bench.machine import FALLBACK_CACHE_BYTES, MachineLimits, last_level_cache_bytes, measure_limits


def test_limits_are_measured_over_arrays_larger_than_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "last_level_cache_bytes", lambda: 2**20)
    limits = measure_limits(threads=1, seconds=0.01)
    assert limits.threads == 1
    assert limits.array_bytes >= 4 * limits.cache_bytes
    assert min(limits.triad_bytes_per_s, limits.read_bytes_per_s, limits.matrix_flops_per_s) > 1e6
    assert limits.bandwidth_bytes_per_s >= limits.triad_bytes_per_s


def test_the_largest_cache_counts(tmp_path: Path) -> None:
    for index, size in enumerate(("32K\n", "1024K\n", "32M\n")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size)
    assert last_level_cache_bytes(tmp_path) == 32 * 2**20


def test_an_unknown_cache_is_a_stated_assumption(tmp_path: Path) -> None:
    assert last_level_cache_bytes(tmp_path) == FALLBACK_CACHE_BYTES


def test_the_triad_computes_what_it_says() -> None:
    import numpy as np

    total, left, right = np.zeros(100_000), np.ones(100_000), np.full(100_000, 2.0)
    machine._triad((total, left, right))
    assert (total == 7.0).all()


def test_limits_are_plain_numbers_in_json() -> None:
    assert MachineLimits(1.0, 2.0, 3.0, 1, 4, 5).to_json()["matrix_flops_per_s"] == 3.0
