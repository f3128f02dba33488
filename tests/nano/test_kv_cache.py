import numpy as np
import pytest

from helpers.errors import UsageError
from helpers.nano.kv_cache import KvCache
from tests.nano.tiny import CONFIG


def fill(cache: KvCache, slots: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (len(slots), CONFIG.kv_heads, CONFIG.head_size)
    keys, values = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    cache.write(1, np.array(slots), keys, values)
    return keys, values


def test_what_was_written_is_gathered_in_the_order_of_the_table() -> None:
    cache = KvCache(CONFIG, blocks=5, block_size=2)
    keys, values = fill(cache, [6, 7, 2, 3])  # blocks 3 and 1
    read_keys, read_values = cache.read(1, np.array([[3, 1], [1, 0]]))
    assert read_keys.shape == (CONFIG.kv_heads, 2, 4, CONFIG.head_size)
    np.testing.assert_array_equal(read_keys[:, 0], keys.transpose(1, 0, 2))
    np.testing.assert_array_equal(read_values[:, 0], values.transpose(1, 0, 2))
    np.testing.assert_array_equal(read_keys[:, 1, :2], keys[2:].transpose(1, 0, 2))
    assert not read_keys[:, 1, 2:].any()
    assert not cache.read(0, np.array([[3, 1]]))[0].any()  # another layer


def test_int8_is_close_by_its_own_scale_per_token_and_head() -> None:
    cache = KvCache(CONFIG, blocks=2, block_size=2, precision="int8")
    random = np.random.default_rng(0)
    keys = random.standard_normal((4, CONFIG.kv_heads, CONFIG.head_size)).astype(np.float32)
    keys *= np.array([1e-4, 1, 100, 0], np.float32)[:, None, None]
    cache.write(0, np.arange(4), keys, keys)
    read, _ = cache.read(0, np.array([[0, 1]]))
    wanted = keys.transpose(1, 0, 2)
    step = np.abs(wanted).max(axis=-1, keepdims=True) / 127
    assert (np.abs(read[:, 0] - wanted) <= step * 0.501).all()
    assert not np.isnan(read).any()


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_erased_blocks_hold_zeros_and_no_nan(precision: str) -> None:
    cache = KvCache(CONFIG, blocks=3, block_size=2, precision=precision)
    fill(cache, [0, 1])
    broken = np.full((2, CONFIG.kv_heads, CONFIG.head_size), np.nan, np.float32)
    with np.errstate(invalid="ignore"):
        cache.write(1, np.array([4, 5]), broken, broken)
    cache.erase([2])
    keys, values = cache.read(1, np.array([[0, 2]]))
    assert keys[:, 0, :2].any()
    assert not keys[:, 0, 2:].any()
    assert not values[:, 0, 2:].any()


def test_bytes_per_token() -> None:
    elements = 2 * CONFIG.layers * CONFIG.kv_heads * CONFIG.head_size
    assert KvCache(CONFIG, 1).bytes_per_token == elements * 4
    assert KvCache(CONFIG, 1, precision="int8").bytes_per_token == elements + 2 * CONFIG.layers * CONFIG.kv_heads * 4


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="f32, int8"):
        KvCache(CONFIG, 1, precision="fp8")
