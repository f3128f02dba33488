"""A random EAGLE-3 head for a tiny model, and its chain of proposals written as plainly as possible: the oracle."""

import json
import shutil
from pathlib import Path

import numpy as np

from helpers.models.checkpoint import read_config, read_tensors, write_bfloat16
from helpers.models.eagle import HeadConfig, read_head_config
from tests.models.reference import _norm, _rotate

FEATURE_LAYERS = (1, 2, 3)


def make_head(target: Path, directory: Path) -> Path:
    """Random weights for a target of at least three layers, with its tokenizer."""
    directory.mkdir(parents=True, exist_ok=True)
    shape = read_config(target)
    config = HeadConfig(
        vocabulary_size=shape.vocabulary_size,
        width=shape.width,
        target_width=shape.width,
        feature_layers=FEATURE_LAYERS,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        intermediate_size=64,
        context_length=shape.context_length,
        rope_theta=shape.rope_theta,
        norm_epsilon=shape.norm_epsilon,
    )
    (directory / "config.json").write_text(json.dumps(config.make_hf_config()), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(target / name, directory / name)
    generator = np.random.default_rng(11)

    def weights(name: str) -> np.ndarray:
        size = config.tensor_shapes[name]
        if len(size) == 1:
            return generator.uniform(0.5, 1.5, size).astype(np.float32)
        return (generator.standard_normal(size) / np.sqrt(size[1])).astype(np.float32) * 2

    write_bfloat16(directory / "model.safetensors", config.tensor_shapes, weights)
    return directory


def layer_inputs(directory: Path, ids: list[int], layers: tuple[int, ...]) -> np.ndarray:
    """The target's states before these layers side by side, [positions, layers * width], float64."""
    from helpers.models.llama import load_llama, rms_norm, silu

    llama = load_llama(directory)
    cache = llama.new_cache(len(ids))
    hidden, states = llama.embedding[ids], []
    for index, layer in enumerate(llama.layers):
        states.append(hidden)
        epsilon = llama.config.norm_epsilon
        hidden = hidden + llama._attend(index, layer, rms_norm(hidden, layer.attention_norm, epsilon), cache)
        normed = rms_norm(hidden, layer.feed_forward_norm, epsilon)
        hidden = hidden + (silu(normed @ layer.gate.T) * (normed @ layer.up.T)) @ layer.down.T
    states.append(hidden)
    return np.concatenate([states[layer] for layer in layers], -1).astype(np.float64)


def chain(directory: Path, target: Path, ids: list[int], states: np.ndarray, steps: int) -> np.ndarray:
    """Logits of a greedy chain of proposals, [steps, vocabulary], float64.

    Args:
        directory: the head.
        target: its model.
        ids: known tokens, n of them; the target has computed all but the last.
        states: of those, [n - 1, 3 * width].
        steps: proposals.
    """
    config = read_head_config(directory)
    part = {name: tensor.read().astype(np.float64) for name, tensor in read_tensors(directory).items()}
    embedding = read_tensors(target)["model.embed_tokens.weight"].read().astype(np.float64)
    features = list(states @ part["fc.weight"].T)
    tokens = list(ids[1:])
    found = []
    for _ in range(steps):
        feature = np.stack(features)
        vectors = _norm(embedding[tokens], part["midlayer.input_layernorm.weight"], config.norm_epsilon)
        normed = _norm(feature, part["midlayer.hidden_norm.weight"], config.norm_epsilon)
        both = np.concatenate([vectors, normed], -1)
        query, key, value = (
            (both @ part[f"midlayer.self_attn.{name}_proj.weight"].T).reshape(len(tokens), -1, config.head_size)
            for name in "qkv"
        )
        query, key = _rotate(query, config.rope_theta), _rotate(key, config.rope_theta)
        mixed = np.empty_like(query[-1])
        for head in range(config.heads):
            group = head // (config.heads // config.kv_heads)
            scores = key[:, group] @ query[-1, head] / np.sqrt(config.head_size)
            shares = np.exp(scores - scores.max())
            mixed[head] = shares / shares.sum() @ value[:, group]
        hidden = feature[-1] + part["midlayer.self_attn.o_proj.weight"] @ mixed.ravel()
        normed = _norm(hidden, part["midlayer.post_attention_layernorm.weight"], config.norm_epsilon)
        gate = part["midlayer.mlp.gate_proj.weight"] @ normed
        inner = gate / (1 + np.exp(-gate)) * (part["midlayer.mlp.up_proj.weight"] @ normed)
        output = hidden + part["midlayer.mlp.down_proj.weight"] @ inner
        logits = embedding @ _norm(output, part["norm.weight"], config.norm_epsilon)
        found.append(logits)
        features.append(output)
        tokens.append(int(logits.argmax()))
    return np.stack(found)
