"""A Llama over the tokens of a step: one matrix product per weight for all of them, attention over paged blocks.

The formulas are those of `helpers.models.llama`, which computes one sequence at a time and is the reference. Tensor
parallelism needs little here: a rank holds some of the heads and some of the MLP's columns, and what the two output
projections of a layer give is added up over the ranks.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from helpers.errors import UsageError
from helpers.models.checkpoint import Floats, LlamaConfig
from helpers.models.llama import LayerWeights, Llama, load_llama
from helpers.nano.batch import Batch, Group
from helpers.nano.block_manager import BLOCK_SIZE
from helpers.nano.kv_cache import KvCache
from helpers.nano.product import fuse_rows, multiply

AllReduce = Callable[[Floats], None]
"""Replaces a contiguous array by its sum over all ranks, in place."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What a step's forward pass gives.

    Attributes:
        logits: for the rows wanted, [rows, vocabulary].
        features: the states that went into the layers asked for, side by side, [tokens, layers * width]; None if none
            was asked for.
    """

    logits: Floats
    features: Floats | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights as a step needs them: matrices [inputs, outputs], those that read the same input fused."""

    attention_norm: Floats
    query_key_value: Floats
    attention_output: Floats
    feed_forward_norm: Floats
    gate_up: Floats
    down: Floats


class AnyModel(Protocol):
    """What an engine needs of a model: `Model`, or one spread over processes."""

    @property
    def config(self) -> LlamaConfig:
        """Shape of the whole model."""

    def make_cache(self, blocks: int, block_size: int = BLOCK_SIZE, precision: str = "f32") -> KvCache:
        """A cache that `forward` takes."""

    def forward(self, batch: Batch, cache: KvCache, feature_layers: Sequence[int] = ()) -> Forward:
        """Compute a step's tokens."""


class Model:
    """A model, or one rank's share of it.

    Args:
        llama: the weights.
        rank: which share this is, from 0.
        ranks: how many there are.
        all_reduce: needed with more than one.

    Attributes:
        config: shape of the whole model.
        share: shape of this rank's part of it.

    Raises:
        UsageError: the heads or the MLP's columns cannot be shared evenly.
    """

    def __init__(self, llama: Llama, *, rank: int = 0, ranks: int = 1, all_reduce: AllReduce | None = None) -> None:
        config = llama.config
        if config.kv_heads % ranks or config.intermediate_size % ranks:
            raise UsageError(
                f"the model cannot be shared by {ranks} ranks",
                f"{config.kv_heads} KV heads and {config.intermediate_size} MLP columns cannot be divided evenly",
            )
        self.config = config
        self.share = dataclasses.replace(
            config,
            heads=config.heads // ranks,
            kv_heads=config.kv_heads // ranks,
            intermediate_size=config.intermediate_size // ranks,
        )
        self._all_reduce = all_reduce
        self._embedding = llama.embedding
        self._layers = [_take_share(layer, rank, ranks) for layer in llama.layers]
        self._final_norm = llama.final_norm
        self._output = fuse_rows(llama.output)
        self._cosine, self._sine = make_rotation(config)

    def make_cache(self, blocks: int, block_size: int = BLOCK_SIZE, precision: str = "f32") -> KvCache:
        """A cache for this share's heads."""
        return KvCache(self.share, blocks, block_size, precision)

    def forward(self, batch: Batch, cache: KvCache, feature_layers: Sequence[int] = ()) -> Forward:
        """Compute a step's tokens; their keys and values go into the cache.

        Args:
            batch: the tokens.
            cache: holds what the tokens' sequences have before them.
            feature_layers: layers whose inputs are wanted too; the number of layers stands for the last one's output.
        """
        epsilon = self.config.norm_epsilon
        cosine, sine = self._cosine[batch.positions][:, None], self._sine[batch.positions][:, None]
        hidden = self._embedding[batch.ids]
        states: dict[int, Floats] = {}
        for index, layer in enumerate(self._layers):
            if index in feature_layers:
                states[index] = hidden.copy()
            normed = rms_norm(hidden, layer.attention_norm, epsilon)
            projected = multiply(normed, layer.query_key_value)
            mixed = attend(self.share, projected, batch, cache, index, cosine, sine)
            hidden += self._reduce(multiply(mixed, layer.attention_output))
            normed = rms_norm(hidden, layer.feed_forward_norm, epsilon)
            hidden += self._reduce(multiply(swiglu(multiply(normed, layer.gate_up)), layer.down))
        states[len(self._layers)] = hidden
        last = rms_norm(hidden[batch.logit_rows], self._final_norm, epsilon)
        features = [states[index] for index in feature_layers]
        return Forward(multiply(last, self._output), np.concatenate(features, axis=1) if features else None)

    def _reduce(self, part: Floats) -> Floats:
        if self._all_reduce is not None:
            self._all_reduce(part)
        return part


def load_model(model: str | Path, *, rank: int = 0, ranks: int = 1, all_reduce: AllReduce | None = None) -> Model:
    """Read a model's weights; see `helpers.models.llama.load_llama` for what can be read, and `Model`."""
    return Model(load_llama(model), rank=rank, ranks=ranks, all_reduce=all_reduce)


def _take_share(layer: LayerWeights, rank: int, ranks: int) -> Layer:
    """Heads and MLP columns are outputs of the first matrices of a layer's two halves, and inputs of the second."""

    def rows(weight: Floats) -> Floats:
        return np.split(weight, ranks)[rank]

    def columns(weight: Floats) -> Floats:
        return np.split(weight, ranks, axis=1)[rank]

    return Layer(
        attention_norm=layer.attention_norm,
        query_key_value=fuse_rows(rows(layer.query), rows(layer.key), rows(layer.value)),
        attention_output=fuse_rows(columns(layer.attention_output)),
        feed_forward_norm=layer.feed_forward_norm,
        gate_up=fuse_rows(rows(layer.gate), rows(layer.up)),
        down=fuse_rows(columns(layer.down)),
    )


def attend(
    shape: LlamaConfig, projected: Floats, batch: Batch, cache: KvCache, layer: int, cosine: Floats, sine: Floats
) -> Floats:
    """Attention of every token to its own sequence, [tokens, heads * head_size].

    Args:
        shape: of the model, or of one rank's share of it.
        projected: query, key and value of each token side by side; overwritten.
        batch: the tokens.
        cache: takes the keys and values.
        layer: of the cache.
        cosine, sine: of the tokens' positions, [tokens, 1, head_size / 2].
    """
    vectors = projected.reshape(len(projected), -1, shape.head_size)
    rotate(vectors[:, : shape.heads + shape.kv_heads], cosine, sine)
    cache.write(layer, batch.slots, vectors[:, shape.heads :].reshape(len(vectors), 2, -1, shape.head_size))
    # Query heads of one group share a KV head.
    query = vectors[:, : shape.heads].reshape(len(vectors), shape.kv_heads, -1, shape.head_size)
    query *= np.float32(shape.head_size**-0.5)
    mixed = np.empty(query.shape, np.float32)
    for group in batch.groups:
        mixed[group.rows] = _attend_group(query[group.rows], group, *cache.read(layer, group.tables))
    return mixed.reshape(len(mixed), -1)


def make_rotation(shape: LlamaConfig) -> tuple[Floats, Floats]:
    """Cosine and sine of the rotary angles of all positions, [context_length, head_size / 2] each."""
    half = np.arange(0, shape.head_size, 2) / shape.head_size
    angles = np.arange(shape.context_length)[:, None] * shape.rope_theta**-half
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _attend_group(query: Floats, group: Group, keys: Floats, values: Floats) -> Floats:
    """Softmax attention of some sequences.

    Args:
        query: [sequences, tokens, kv_heads, heads per KV head, head_size], already scaled.
        group: has the mask.
        keys, values: [sequences, positions, kv_heads, head_size].

    Returns:
        Of the query's shape.
    """
    sequences, tokens, kv_heads, sharing, size = query.shape
    rows = query.transpose(0, 2, 3, 1, 4).reshape(sequences, kv_heads, sharing * tokens, size)
    scores = rows @ keys.transpose(0, 2, 3, 1)
    masked = scores.reshape(sequences, kv_heads, sharing, tokens, -1)
    masked += group.mask[:, None, None]
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    mixed: Floats = np.matmul(scores, values.transpose(0, 2, 1, 3))
    mixed /= scores.sum(axis=-1, keepdims=True)
    return mixed.reshape(sequences, kv_heads, sharing, tokens, size).transpose(0, 3, 1, 2, 4)


def rms_norm(values: Floats, weight: Floats, epsilon: float) -> Floats:
    """Each row divided by its root mean square, times the weight."""
    mean_square = np.einsum("ij,ij->i", values, values)[:, None] / np.float32(values.shape[1])
    normed: Floats = values / np.sqrt(mean_square + np.float32(epsilon))
    normed *= weight
    return normed


def rotate(vectors: Floats, cosine: Floats, sine: Floats) -> None:
    """Rotary positions, in place: turns the pairs (i, i + half) of [tokens, heads, head_size].

    Args:
        vectors: what to turn.
        cosine, sine: of the angles, [tokens, 1, head_size / 2].
    """
    half = vectors.shape[-1] // 2
    first, second = vectors[..., :half], vectors[..., half:]
    turned = first * cosine
    turned -= second * sine
    second *= cosine
    second += first * sine
    first[...] = turned


def swiglu(gate_up: Floats) -> Floats:
    """silu(gate) * up, for both side by side; silu(x) is x / (1 + exp(-x))."""
    width = gate_up.shape[1] // 2
    gate, up = gate_up[:, :width], gate_up[:, width:]
    activated: Floats = np.negative(gate)
    # Where exp overflows the quotient is 0, which is right.
    with np.errstate(over="ignore"):
        np.exp(activated, out=activated)
    activated += 1
    np.divide(gate, activated, out=activated)
    activated *= up
    return activated
