import numpy as np
import pytest

from helpers.errors import UsageError
from helpers.nano.kv_cache import KvCache
from tests.nano.tiny import CONFIG


def draw(tokens: int) -> np.ndarray:
    shape = (tokens, 2, CONFIG.kv_heads, CONFIG.head_size)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_what_was_written_is_gathered_in_the_order_of_the_table() -> None:
    cache = KvCache(CONFIG, blocks=5, block_size=2)
    vectors = draw(4)
    cache.write(1, np.array([6, 7, 2, 3]), vectors)  # blocks 3 and 1
    keys, values = cache.read(1, np.array([[3, 1], [1, 0]]))
    assert keys.shape == (2, 4, CONFIG.kv_heads, CONFIG.head_size)
    np.testing.assert_array_equal(keys[0], vectors[:, 0])
    np.testing.assert_array_equal(values[0], vectors[:, 1])
    np.testing.assert_array_equal(keys[1, :2], vectors[2:, 0])
    assert not keys[1, 2:].any()
    assert not cache.read(0, np.array([[3, 1]]))[0].any()  # another layer


def test_int8_is_close_by_its_own_scale_per_token_and_head() -> None:
    cache = KvCache(CONFIG, blocks=2, block_size=2, precision="int8")
    vectors = draw(4) * np.array([1e-4, 1, 100, 0], np.float32)[:, None, None, None]
    cache.write(0, np.arange(4), vectors)
    for index, read in enumerate(cache.read(0, np.array([[0, 1]]))):
        wanted = vectors[:, index]
        step = np.abs(wanted).max(axis=-1, keepdims=True) / 127
        assert (np.abs(read[0] - wanted) <= step * 0.501).all()


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_erased_blocks_hold_zeros_and_no_nan(precision: str) -> None:
    cache = KvCache(CONFIG, blocks=3, block_size=2, precision=precision)
    cache.write(1, np.array([0, 1]), draw(2))
    with np.errstate(invalid="ignore"):
        cache.write(1, np.array([4, 5]), np.full_like(draw(2), np.nan))
    cache.erase([2])
    for read in cache.read(1, np.array([[0, 2]])):
        assert read[0, :2].any()
        assert not read[0, 2:].any()


def test_bytes_per_token() -> None:
    elements = 2 * CONFIG.layers * CONFIG.kv_heads * CONFIG.head_size
    assert KvCache(CONFIG, 1).bytes_per_token == elements * 4
    assert KvCache(CONFIG, 1, precision="int8").bytes_per_token == elements + 2 * CONFIG.layers * CONFIG.kv_heads * 4


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="f32, int8"):
        KvCache(CONFIG, 1, precision="fp8")
