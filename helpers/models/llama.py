"""A plain Llama in NumPy, float32: the reference that other engines are held against.

One sequence at a time, with a contiguous cache. The formulas are those of Hugging Face's LlamaModel: RMS norm before
attention and before the feed-forward part, rotary positions on the pairs (i, i + half), grouped-query attention,
SwiGLU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError
from helpers.models.catalogue import resolve
from helpers.models.checkpoint import Floats, LlamaConfig, read_config, read_tensors

T = TypeVar("T", bound=np.floating)


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one layer; matrices are [outputs, inputs]."""

    attention_norm: Floats
    query: Floats
    key: Floats
    value: Floats
    attention_output: Floats
    feed_forward_norm: Floats
    gate: Floats
    up: Floats
    down: Floats


class Cache:
    """Keys and values of the tokens seen so far.

    Attributes:
        keys, values: [layers, kv_heads, capacity, head_size]; rows from `length` on are unused.
        length: tokens held.
    """

    def __init__(self, config: LlamaConfig, capacity: int) -> None:
        shape = (config.layers, config.kv_heads, capacity, config.head_size)
        self.keys: Floats = np.zeros(shape, dtype=np.float32)
        self.values: Floats = np.zeros(shape, dtype=np.float32)
        self.length = 0

    @property
    def capacity(self) -> int:
        """How many tokens fit."""
        return int(self.keys.shape[2])


class Llama:
    """A model with its weights in memory.

    Args:
        config: its shape.
        embedding: [vocabulary, width].
        layers: one for each layer.
        final_norm: [width].
        output: [vocabulary, width]; the embedding itself where the two are tied.
    """

    def __init__(
        self,
        config: LlamaConfig,
        embedding: Floats,
        layers: Sequence[LayerWeights],
        final_norm: Floats,
        output: Floats,
    ) -> None:
        self.config = config
        self.embedding = embedding
        self.layers = layers
        self.final_norm = final_norm
        self.output = output
        half = np.arange(0, config.head_size, 2) / config.head_size
        angles = np.arange(config.context_length)[:, None] * config.rope_theta ** -half[None, :]
        self._cosine = np.cos(angles).astype(np.float32)
        self._sine = np.sin(angles).astype(np.float32)

    def new_cache(self, capacity: int | None = None) -> Cache:
        """An empty cache, by default for the whole context length."""
        return Cache(self.config, self.config.context_length if capacity is None else capacity)

    def forward(self, ids: Sequence[int], cache: Cache) -> Floats:
        """Run these tokens behind those of the cache, which then holds them too.

        Args:
            ids: token ids, at least one.
            cache: of this model.

        Returns:
            Logits for the token after each of them, [len(ids), vocabulary].

        Raises:
            UsageError: they do not fit into the cache or the context length.
        """
        end = cache.length + len(ids)
        if end > min(cache.capacity, self.config.context_length):
            raise UsageError(
                f"{end} tokens do not fit into {min(cache.capacity, self.config.context_length)}",
                "the prompt and the answer together are longer than the cache or the model's context",
                "shorten the prompt or make a larger cache",
            )
        hidden = self.embedding[np.asarray(ids)]
        epsilon = self.config.norm_epsilon
        for index, layer in enumerate(self.layers):
            hidden = hidden + self._attend(index, layer, rms_norm(hidden, layer.attention_norm, epsilon), cache)
            normed = rms_norm(hidden, layer.feed_forward_norm, epsilon)
            hidden = hidden + (silu(normed @ layer.gate.T) * (normed @ layer.up.T)) @ layer.down.T
        cache.length = end
        return rms_norm(hidden, self.final_norm, epsilon) @ self.output.T

    def _attend(self, index: int, layer: LayerWeights, normed: Floats, cache: Cache) -> Floats:
        config = self.config
        count, start = len(normed), cache.length
        end = start + count
        cosine, sine = self._cosine[start:end], self._sine[start:end]
        query = rotate(_split_heads(normed @ layer.query.T, config.heads), cosine, sine)
        cache.keys[index, :, start:end] = rotate(_split_heads(normed @ layer.key.T, config.kv_heads), cosine, sine)
        cache.values[index, :, start:end] = _split_heads(normed @ layer.value.T, config.kv_heads)
        keys, values = cache.keys[index, :, :end], cache.values[index, :, :end]
        # Query heads of one group share a KV head: [kv_heads, group * count, head_size].
        group = config.heads // config.kv_heads
        scores = query.reshape(config.kv_heads, group * count, config.head_size) @ keys.transpose(0, 2, 1)
        scores = scores.reshape(config.kv_heads, group, count, end) * np.float32(config.head_size**-0.5)
        visible = np.arange(end)[None, :] <= np.arange(start, end)[:, None]
        weights = softmax(np.where(visible, scores, np.float32(-np.inf)))
        mixed = weights.reshape(config.kv_heads, group * count, end) @ values
        joined = mixed.reshape(config.heads, count, config.head_size).transpose(1, 0, 2).reshape(count, -1)
        return joined @ layer.attention_output.T

    def generate(
        self, ids: Sequence[int], max_tokens: int, *, temperature: float = 0.0, seed: int = 0
    ) -> Iterator[int]:
        """New tokens one by one, endless up to `max_tokens`; the caller stops at the end token.

        Args:
            ids: the prompt.
            max_tokens: how many at most.
            temperature: 0 takes the best token, more draws from the softmax of logits / temperature.
            seed: of the drawing.
        """
        cache = self.new_cache(len(ids) + max_tokens)
        random = np.random.default_rng(seed)
        logits = self.forward(ids, cache)[-1]
        for index in range(max_tokens):
            if temperature > 0:
                token = int(random.choice(len(logits), p=softmax(logits.astype(np.float64) / temperature)))
            else:
                token = int(logits.argmax())
            yield token
            if index + 1 < max_tokens:
                logits = self.forward([token], cache)[-1]


def load_llama(model: str | Path) -> Llama:
    """Read a model's weights as float32.

    Args:
        model: an id of the catalogue, or a directory in Hugging Face layout.

    Raises:
        UsageError: unknown model, or a .gguf file.
        MissingError: files are missing or damaged.
    """
    files = resolve(str(model))
    if files.gguf_file is not None:
        raise UsageError(
            f"{model} is a .gguf file", "the NumPy model reads safetensors", "give a Hugging Face directory"
        )
    config = read_config(files.directory)
    tensors = read_tensors(files.directory)
    weights = {name: tensors[name].read() for name in config.tensor_shapes}
    embedding = weights["model.embed_tokens.weight"]
    return Llama(
        config,
        embedding,
        [_take_layer(weights, f"model.layers.{index}.") for index in range(config.layers)],
        weights["model.norm.weight"],
        embedding if config.tied_embeddings else weights["lm_head.weight"],
    )


def rms_norm(values: Floats, weight: Floats, epsilon: float) -> Floats:
    """Each row divided by its root mean square, times the weight."""
    mean_square = np.mean(values * values, axis=-1, keepdims=True)
    normed: Floats = values / np.sqrt(mean_square + np.float32(epsilon)) * weight
    return normed


def silu(values: Floats) -> Floats:
    """x * sigmoid(x)."""
    # Where exp overflows the quotient is 0, which is right.
    with np.errstate(over="ignore"):
        activated: Floats = values / (1 + np.exp(-values))
    return activated


def softmax(values: NDArray[T]) -> NDArray[T]:
    """Shares along the last axis, safe against overflow."""
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: NDArray[T] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def rotate(vectors: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Rotary positions: turns the pairs (i, i + half) of [heads, count, head_size] by the angles [count, half]."""
    first, second = np.split(vectors, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _split_heads(values: Floats, heads: int) -> Floats:
    """[count, heads * size] as [heads, count, size]."""
    return values.reshape(len(values), heads, -1).transpose(1, 0, 2)


def _take_layer(weights: dict[str, Floats], prefix: str) -> LayerWeights:
    return LayerWeights(
        attention_norm=weights[prefix + "input_layernorm.weight"],
        query=weights[prefix + "self_attn.q_proj.weight"],
        key=weights[prefix + "self_attn.k_proj.weight"],
        value=weights[prefix + "self_attn.v_proj.weight"],
        attention_output=weights[prefix + "self_attn.o_proj.weight"],
        feed_forward_norm=weights[prefix + "post_attention_layernorm.weight"],
        gate=weights[prefix + "mlp.gate_proj.weight"],
        up=weights[prefix + "mlp.up_proj.weight"],
        down=weights[prefix + "mlp.down_proj.weight"],
    )
