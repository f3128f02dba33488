"""A Llama forward pass written as plainly as possible, independent of the product's own: the oracle of these tests."""

from pathlib import Path

import numpy as np

from helpers.models.checkpoint import read_config, read_tensors


def _norm(hidden, weight, epsilon):
    return hidden / np.sqrt((hidden**2).mean(-1, keepdims=True) + epsilon) * weight


def _rotate(heads, theta):
    positions, _, size = heads.shape
    angles = np.arange(positions)[:, None] / theta ** (np.arange(0, size, 2) / size)
    cosine, sine = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
    first, second = heads[..., : size // 2], heads[..., size // 2 :]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def logits(directory: Path, ids: list[int]) -> np.ndarray:
    """Logits (positions, vocabulary) in float64."""
    config = read_config(directory)
    weights = {name: tensor.read().astype(np.float64) for name, tensor in read_tensors(directory).items()}
    embedding = weights["model.embed_tokens.weight"]
    hidden = embedding[ids]
    positions = len(ids)
    mask = np.triu(np.full((positions, positions), -np.inf), 1)
    for layer in range(config.layers):
        prefix = f"model.layers.{layer}."
        part = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        normed = _norm(hidden, part["input_layernorm.weight"], config.norm_epsilon)
        query, key, value = (
            (normed @ part[f"self_attn.{name}_proj.weight"].T).reshape(positions, -1, config.head_size)
            for name in ("q", "k", "v")
        )
        query, key = _rotate(query, config.rope_theta), _rotate(key, config.rope_theta)
        group = config.heads // config.kv_heads
        mixed = np.empty_like(query)
        for head in range(config.heads):
            scores = query[:, head] @ key[:, head // group].T / np.sqrt(config.head_size) + mask
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[:, head] = shares / shares.sum(-1, keepdims=True) @ value[:, head // group]
        hidden = hidden + mixed.reshape(positions, -1) @ part["self_attn.o_proj.weight"].T
        normed = _norm(hidden, part["post_attention_layernorm.weight"], config.norm_epsilon)
        gate = normed @ part["mlp.gate_proj.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (normed @ part["mlp.up_proj.weight"].T)
        hidden = hidden + inner @ part["mlp.down_proj.weight"].T
    head = embedding if config.tied_embeddings else weights["lm_head.weight"]
    return _norm(hidden, weights["model.norm.weight"], config.norm_epsilon) @ head.T


def greedy(directory: Path, prompt: list[int], count: int) -> list[int]:
    """The next `count` greedy tokens."""
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(logits(directory, ids)[-1].argmax()))
    return ids[len(prompt) :]
