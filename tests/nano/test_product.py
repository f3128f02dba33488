"""Products of few tokens with large weights: the same numbers, whatever the way."""

import numpy as np
import pytest

from helpers.nano.product import LARGE_WEIGHT, MOST_TOKENS, fuse_rows, multiply


@pytest.mark.parametrize("shape", [(64, 32), (1100, 1000), (5000, 300)])
@pytest.mark.parametrize("tokens", [0, 1, 2, 5, MOST_TOKENS, MOST_TOKENS + 1])
def test_it_is_the_product(shape: tuple[int, int], tokens: int) -> None:
    generator = np.random.default_rng(1)
    rows = generator.standard_normal(shape).astype(np.float32)
    values = generator.standard_normal((tokens, shape[1])).astype(np.float32)
    weight = fuse_rows(rows[:10], rows[10:])
    assert weight.shape == shape[::-1]
    found = multiply(values, weight)
    assert found.shape == (tokens, shape[0])
    np.testing.assert_allclose(found, values @ rows.T, rtol=1e-3, atol=1e-3)


def test_large_weights_are_kept_output_by_output_and_small_ones_are_not() -> None:
    assert fuse_rows(np.zeros((1024, LARGE_WEIGHT // 1024), np.float32)).flags.f_contiguous
    assert fuse_rows(np.zeros((64, 32), np.float32)).flags.c_contiguous
