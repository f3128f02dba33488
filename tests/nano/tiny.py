"""A Llama of a few thousand random weights."""

import numpy as np

from helpers.models.checkpoint import Floats, LlamaConfig
from helpers.models.llama import LayerWeights, Llama

CONFIG = LlamaConfig(
    vocabulary_size=61,
    width=24,
    layers=3,
    heads=4,
    kv_heads=2,
    head_size=6,
    intermediate_size=20,
    context_length=96,
    rope_theta=100.0,
    norm_epsilon=1e-5,
    tied_embeddings=False,
)


def make_tiny(seed: int = 0) -> Llama:
    """The same weights for the same seed, large enough that every layer matters."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> Floats:
        return (random.standard_normal(shape) / np.sqrt(shape[-1]) * 1.5).astype(np.float32)

    shapes = CONFIG.tensor_shapes
    layers = []
    for layer in range(CONFIG.layers):
        names = [name for name in shapes if name.startswith(f"model.layers.{layer}.")]
        drawn = {name: draw(*shapes[name]) for name in names}
        norms = {name: np.abs(values) + 0.5 for name, values in drawn.items() if values.ndim == 1}
        layers.append(LayerWeights(*_in_order({**drawn, **norms}, f"model.layers.{layer}.")))
    size = (CONFIG.vocabulary_size, CONFIG.width)
    return Llama(CONFIG, draw(*size), layers, np.ones(CONFIG.width, np.float32), draw(*size) * 3)


def _in_order(weights: dict[str, Floats], prefix: str) -> list[Floats]:
    names = (
        ["input_layernorm"]
        + [f"self_attn.{name}_proj" for name in "qkvo"]
        + ["post_attention_layernorm"]
        + [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    )
    return [weights[f"{prefix}{name}.weight"] for name in names]
