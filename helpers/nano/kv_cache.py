"""Keys and values of all requests, in blocks of a fixed number of tokens, as float32 or as int8.

int8 has one float32 scale per token and head: a key of 64 elements takes 68 bytes instead of 256.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats, LlamaConfig
from helpers.nano.block_manager import BLOCK_SIZE

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

    def __init__(self, config: LlamaConfig, blocks: int, block_size: int = BLOCK_SIZE, precision: str = "f32") -> None:
        if precision not in PRECISIONS:
            raise UsageError(f"the KV cache cannot be {precision!r}", f"it is one of {', '.join(PRECISIONS)}")
        self.block_size = block_size
        self.precision = precision
        self.bytes_per_token = bytes_per_token(config, precision)
        # What belongs to one token in one layer lies together: keys of all heads, then values of all heads.
        shape = (config.layers, blocks * block_size, 2, config.kv_heads, config.head_size)
        self._stored = np.zeros(shape, np.float32 if precision == "f32" else np.int8)
        self._scales = np.zeros((*shape[:-1], 1), np.float32) if precision == "int8" else None
        self._gathered = [
            _Gathered(np.dtype(np.float32)),
            _Gathered(self._stored.dtype),
            _Gathered(np.dtype(np.float32)),
        ]

    def write(self, layer: int, slots: Ints, vectors: Floats) -> None:
        """Store the keys and values of some tokens.

        Args:
            layer: of the model.
            slots: where they belong, [tokens].
            vectors: [tokens, 2, kv_heads, head_size], keys first.
        """
        if self._scales is None:
            self._stored[layer][slots] = vectors
            return
        scales = np.abs(vectors).max(axis=-1, keepdims=True) / LARGEST_INT8
        self._scales[layer][slots] = scales
        # A vector of zeros has scale 0, and any divisor will do.
        self._stored[layer][slots] = np.rint(vectors / np.maximum(scales, np.finfo(np.float32).tiny))

    def read(self, layer: int, tables: Ints) -> tuple[Floats, Floats]:
        """Gather the blocks of several sequences.

        Args:
            layer: of the model.
            tables: block numbers, [sequences, blocks].

        Returns:
            Keys and values, [sequences, blocks * block_size, kv_heads, head_size] each, in memory that the next read
            uses again.
        """
        vectors, stored, scales = self._gathered
        if self._scales is None:
            gathered = vectors.take(self._stored[layer], tables, self.block_size)
        else:
            whole = stored.take(self._stored[layer], tables, self.block_size)
            gathered = vectors.view(whole.shape)
            np.multiply(whole, scales.take(self._scales[layer], tables, self.block_size), out=gathered)
        return gathered[:, :, 0], gathered[:, :, 1]

    def erase(self, blocks: Sequence[int]) -> None:
        """Overwrite blocks with zeros: a NaN left in an unused slot would spread, as 0 * NaN is NaN."""
        slots = (np.array(blocks, np.intp)[:, None] * self.block_size + np.arange(self.block_size)).reshape(-1)
        self._stored[:, slots] = 0
        if self._scales is not None:
            self._scales[:, slots] = 0


class _Gathered:
    """Memory for gathered blocks, which is used again by each step and grows with the longest."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._memory = np.zeros(0, kind)

    def view(self, shape: tuple[int, ...]) -> NDArray[Any]:
        size = math.prod(shape)
        if self._memory.size < size:
            self._memory = np.zeros(size, self._memory.dtype)
        return self._memory[:size].reshape(shape)

    def take(self, store: NDArray[Any], tables: Ints, block_size: int) -> NDArray[Any]:
        """Rows of [slots, ...] by blocks: [sequences, blocks * block_size, ...]."""
        gathered = self.view((len(tables), tables.shape[1] * block_size, *store.shape[1:]))
        # With mode "raise" take would go through a buffer of its own.
        blocks = store.reshape(len(store) // block_size, -1)
        np.take(blocks, tables, axis=0, out=gathered.reshape(*tables.shape, -1), mode="clip")
        return gathered


def bytes_per_token(config: LlamaConfig, precision: str) -> int:
    """Bytes the cache keeps of one token, over all layers."""
    if precision == "f32":
        return config.kv_elements_per_token * 4
    return config.kv_elements_per_token + 2 * config.layers * config.kv_heads * 4
