"""A compiled graph as a model of nano's engine: same scheduler, same paged cache, same server, another forward pass.

nano's own model computes a step's tokens layer by layer in NumPy. This one gathers the keys and values of each group of
sequences out of the paged cache, gives them to the graph, and stores what the graph gives back.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from helpers.aot.build import BuiltEngine, open_engine
from helpers.aot.providers import LEAST_PAST
from helpers.errors import UsageError
from helpers.models.checkpoint import Floats, LlamaConfig
from helpers.nano.batch import Batch
from helpers.nano.block_manager import BLOCK_SIZE
from helpers.nano.kv_cache import Ints, KvCache
from helpers.nano.model import Forward


class LayeredCache(KvCache):
    """nano's paged cache, read for all layers at once."""

    @property
    def slots(self) -> int:
        """Places for tokens."""
        return int(self._stored.shape[1])

    def gather(self, tables: Ints, memory: Floats) -> Floats:
        """The blocks of several sequences.

        Args:
            tables: block numbers, [sequences, blocks].
            memory: flat; takes the result, and has room for it.

        Returns:
            [layers, sequences, blocks * block_size, 2, kv_heads, head_size], keys first.
        """
        layers, slots, *vector = self._stored.shape
        shape = (layers, *tables.shape, self.block_size * math.prod(vector))
        gathered = memory[: math.prod(shape)].reshape(shape)
        for stored, taken in zip(self._stored, gathered, strict=True):
            # With mode "raise" take would go through a buffer of its own.
            np.take(stored.reshape(slots // self.block_size, -1), tables, axis=0, out=taken, mode="clip")
        return gathered.reshape(layers, len(tables), -1, *vector)


class CompiledModel:
    """A built engine, loaded; see `helpers.nano.model.AnyModel`.

    Args:
        engine: from `build_engine`.
        threads: that one operator may use.

    Attributes:
        config: shape of the model.
        profile: shapes that it takes.
        computed_tokens, wanted_tokens: new tokens that were computed, and those of them that somebody wanted; they
            differ where a fixed shape was filled up.
    """

    def __init__(self, engine: BuiltEngine, threads: int = 1) -> None:
        self.config: LlamaConfig = engine.config
        self.profile = engine.profile
        self.computed_tokens = self.wanted_tokens = 0
        self._session = open_engine(engine, threads)
        self._memory: Floats = np.empty(0, np.float32)

    def make_cache(self, blocks: int, block_size: int = BLOCK_SIZE, precision: str = "f32") -> LayeredCache:
        """A cache that `forward` takes.

        Raises:
            UsageError: it is to be in int8, which the graph does not read, or its blocks do not fill the profile.
        """
        if precision != "f32":
            raise UsageError(f"the KV cache of a compiled model cannot be {precision}", "its graph reads float32")
        if self.profile.past % block_size or block_size < LEAST_PAST:
            raise UsageError(
                f"blocks of {block_size} tokens do not fit a profile of {self.profile.past} tokens before the new ones",
                f"the profile has to be a multiple of the block size, and that at least {LEAST_PAST}",
            )
        return LayeredCache(self.config, blocks, block_size)

    def forward(self, batch: Batch, cache: KvCache, feature_layers: Sequence[int] = ()) -> Forward:
        """Compute a step's tokens; their keys and values go into the cache.

        Raises:
            UsageError: the step does not fit the shape profile, or asks for more than each sequence's last logits.
        """
        assert isinstance(cache, LayeredCache)
        logits = np.empty((len(batch.logit_rows), self.config.vocabulary_size), np.float32)
        place = {int(row): index for index, row in enumerate(batch.logit_rows)}
        for rows, tables in _in_turn(batch, cache):
            found = self._run(rows, tables, batch, cache)
            for row, values in zip(rows[:, -1], found, strict=True):
                if int(row) in place:
                    logits[place.pop(int(row))] = values
        if place or feature_layers:
            raise UsageError(
                "a compiled model gives one row of logits for each sequence", "", "speculation is nano's own model's"
            )
        return Forward(logits, None)

    def _run(self, rows: Ints, tables: Ints, batch: Batch, cache: LayeredCache) -> Floats:
        """One run of the graph; the logits of each sequence's last token, [sequences, vocabulary]."""
        sequences, tokens = rows.shape
        starts = batch.positions[rows[:, 0]]
        blocks = max(1, -(-int(starts.max()) // cache.block_size))
        shape = self.profile.shape_of(sequences, tokens, blocks * cache.block_size)
        self.wanted_tokens += sequences * tokens
        self.computed_tokens += shape[0] * shape[1]
        known = self._gather(_resize(tables, (shape[0], shape[2] // cache.block_size)), cache)
        inputs = {
            "ids": _resize(batch.ids[rows], shape[:2]),
            "starts": _resize(starts, shape[:1]),
            "last": np.full(shape[0], tokens - 1, np.int64),
        }
        for layer, vectors in enumerate(known):
            inputs[f"past_{layer}"] = vectors
        logits, *new = self._session.run(None, inputs)
        slots = batch.slots[rows].reshape(-1)
        for layer, vectors in enumerate(new):
            cache.write(layer, slots, vectors[:sequences, :tokens].reshape(len(slots), *vectors.shape[2:]))
        found: Floats = logits[:sequences]
        return found

    def _gather(self, tables: Ints, cache: LayeredCache) -> Floats:
        """Into memory that the next run uses again, and that grows with the longest."""
        needed = tables.size * cache.block_size * self.config.kv_elements_per_token
        if self._memory.size < needed:
            self._memory = np.empty(needed, np.float32)
        return cache.gather(tables, self._memory)


def _in_turn(batch: Batch, cache: LayeredCache) -> Iterator[tuple[Ints, Ints]]:
    """Rows and tables of sequences that can be computed together, in an order in which they can be computed.

    A sequence may share blocks that another one computes in this very step; the other one goes first then.
    """
    unwritten = np.zeros(cache.slots, bool)
    unwritten[batch.slots] = True
    waiting = [(group.rows, group.tables) for group in batch.groups]
    while waiting:
        rows, tables = waiting.pop(0)
        slots = (tables[:, :, None] * cache.block_size + np.arange(cache.block_size)).reshape(len(tables), -1)
        before = np.arange(slots.shape[1]) < batch.positions[rows[:, :1]]
        blocked = (unwritten[slots] & before).any(axis=1)
        if not blocked.all():
            yield rows[~blocked], tables[~blocked]
            unwritten[batch.slots[rows[~blocked]]] = False
        if blocked.any():
            waiting.append((rows[blocked], tables[blocked]))


def _resize(values: Ints, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The values' corner of this shape, filled up with zeros where they are fewer."""
    resized = np.zeros(shape, np.int64)
    corner = tuple(slice(0, min(sizes)) for sizes in zip(values.shape, shape, strict=True))
    resized[corner] = values[corner]
    return resized


def load_compiled(engine: BuiltEngine, threads: int = 1) -> CompiledModel:
    """Load a built engine; `helpers.nano.engine.load_engine(loaded=...)` takes it."""
    return CompiledModel(engine, threads)
