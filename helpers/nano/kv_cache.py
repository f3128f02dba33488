"""Keys and values of all requests, in blocks of a fixed number of tokens, as float32 or as int8.

int8 has one float32 scale per token and head: a key of 64 elements takes 68 bytes instead of 256.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats, LlamaConfig

Ints = NDArray[np.intp]

PRECISIONS = ("f32", "int8")
LARGEST_INT8 = np.float32(127)


class KvCache:
    """The memory behind a block manager's numbers; token t of a request lies in slot block * block_size + offset.

    Memory is only taken by blocks that were written to.

    Args:
        config: shape of the model, or of one rank's share of it.
        blocks: how many there are.
        block_size: tokens that fit into one.
        precision: `f32`, or `int8` with one scale per token and head.

    Raises:
        UsageError: an unknown precision.
    """

    def __init__(self, config: LlamaConfig, blocks: int, block_size: int = 16, precision: str = "f32") -> None:
        if precision not in PRECISIONS:
            raise UsageError(f"the KV cache cannot be {precision!r}", f"it is one of {', '.join(PRECISIONS)}")
        self.block_size = block_size
        self.precision = precision
        self.bytes_per_token = bytes_per_token(config, precision)
        # Keys and values, as [layers, kv_heads, blocks, block_size, head_size]: a head's part of a block is contiguous.
        shape = (config.layers, config.kv_heads, blocks, block_size, config.head_size)
        kind = np.float32 if precision == "f32" else np.int8
        self._stores = [np.zeros(shape, kind), np.zeros(shape, kind)]
        self._scales = [] if precision == "f32" else [np.zeros(shape[:-1], np.float32) for _ in range(2)]
        self._gathered: list[Floats] = [np.zeros(0, np.float32), np.zeros(0, np.float32)]

    def write(self, layer: int, slots: Ints, keys: Floats, values: Floats) -> None:
        """Store the keys and values of some tokens.

        Args:
            layer: of the model.
            slots: where they belong, [tokens].
            keys, values: [tokens, kv_heads, head_size].
        """
        for index, vectors in enumerate((keys, values)):
            by_head = vectors.transpose(1, 0, 2)
            if self._scales:
                scales = np.abs(by_head).max(axis=-1) / LARGEST_INT8
                self._scales[index][layer].reshape(len(scales), -1)[:, slots] = scales
                by_head = np.rint(by_head / np.maximum(scales, np.finfo(np.float32).tiny)[..., None])
            store = self._stores[index][layer]
            store.reshape(len(store), -1, store.shape[-1])[:, slots] = by_head

    def read(self, layer: int, tables: Ints) -> tuple[Floats, Floats]:
        """Gather the blocks of several sequences.

        Args:
            layer: of the model.
            tables: block numbers, [sequences, blocks].

        Returns:
            Keys and values, [kv_heads, sequences, blocks * block_size, head_size] each, in memory that the next read
            uses again.
        """
        keys, values = (self._gather(index, layer, tables) for index in range(2))
        return keys, values

    def erase(self, blocks: Sequence[int]) -> None:
        """Overwrite blocks with zeros: a NaN left in an unused slot would spread, as 0 * NaN is NaN."""
        for store in (*self._stores, *self._scales):
            store[:, :, blocks] = 0

    def _gather(self, index: int, layer: int, tables: Ints) -> Floats:
        store = self._stores[index][layer]
        shape = (len(store), *tables.shape, *store.shape[2:])
        size = int(np.prod(shape))
        if self._gathered[index].size < size:
            self._gathered[index] = np.zeros(size, np.float32)
        gathered = self._gathered[index][:size].reshape(shape)
        if self._scales:
            np.multiply(store[:, tables], self._scales[index][layer][:, tables][..., None], out=gathered)
        else:
            # With mode "raise" take would go through a buffer of its own.
            np.take(store, tables, axis=1, out=gathered, mode="clip")
        return gathered.reshape(len(store), len(tables), -1, store.shape[-1])


def bytes_per_token(config: LlamaConfig, precision: str) -> int:
    """Bytes the cache keeps of one token, over all layers."""
    if precision == "f32":
        return config.kv_elements_per_token * 4
    return config.kv_elements_per_token + 2 * config.layers * config.kv_heads * 4
