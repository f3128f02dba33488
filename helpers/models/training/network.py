"""The Llama network in PyTorch, for training only, and its export to Hugging Face's layout."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.models.training.tokenizer import CONTEXT_LENGTH, END_OF_TEXT_ID, IM_END_ID, VOCABULARY_SIZE

NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama network; each is a multiple of 32, as 8-bit formats need."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    rope_theta: float = 10_000.0

    def make_hf_config(self) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": VOCABULARY_SIZE,
            "hidden_size": self.width,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_size,
            "hidden_act": "silu",
            "max_position_embeddings": CONTEXT_LENGTH,
            "rms_norm_eps": NORM_EPSILON,
            "rope_theta": self.rope_theta,
            "rope_scaling": None,
            "tie_word_embeddings": True,
            "attention_bias": False,
            "mlp_bias": False,
            "bos_token_id": None,
            "eos_token_id": IM_END_ID,
            "pad_token_id": END_OF_TEXT_ID,
            "torch_dtype": "bfloat16",
        }


TARGET = Shape(width=256, layers=6, heads=4, kv_heads=2, head_size=64, intermediate=704)
# Copying needs heads wide enough to tell the tokens apart: with 32 per head the draft hardly learnt it.
DRAFT = Shape(width=128, layers=4, heads=4, kv_heads=2, head_size=64, intermediate=288)


class Layer(nn.Module):  # type: ignore[misc]
    """One decoder layer: grouped-query attention with rotary positions, then SwiGLU, each behind an RMS norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        self.query_key_value = nn.Linear(shape.width, query + 2 * key, bias=False)
        self.attention_output = nn.Linear(query, shape.width, bias=False)
        self.gate_up = nn.Linear(shape.width, 2 * shape.intermediate, bias=False)
        self.down = nn.Linear(shape.intermediate, shape.width, bias=False)
        self.attention_norm = nn.Parameter(torch.ones(shape.width))
        self.feed_forward_norm = nn.Parameter(torch.ones(shape.width))

    def forward(self, hidden: Tensor, cosine: Tensor, sine: Tensor, hidden_pairs: Tensor) -> Tensor:
        """Hidden states [rows, length, width] after this layer; cosine and sine are [length, head_size / 2]."""
        shape = self.shape
        rows, length, width = hidden.shape
        normed = functional.rms_norm(hidden, (width,), self.attention_norm, NORM_EPSILON)
        query_size, key_size = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        query, key, value = self.query_key_value(normed).split([query_size, key_size, key_size], -1)
        query = rotate(query.view(rows, length, shape.heads, -1).transpose(1, 2), cosine, sine)
        key = rotate(key.view(rows, length, shape.kv_heads, -1).transpose(1, 2), cosine, sine)
        value = value.view(rows, length, shape.kv_heads, -1).transpose(1, 2)
        mixed = _attend(query, key, value, hidden_pairs)
        hidden = hidden + self.attention_output(mixed.transpose(1, 2).reshape(rows, length, query_size))
        normed = functional.rms_norm(hidden, (width,), self.feed_forward_norm, NORM_EPSILON)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return hidden + self.down(functional.silu(gate) * up)


class Network(nn.Module):  # type: ignore[misc]
    """The whole network, with tied embeddings."""

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.shape = shape
        # Token vectors enter the sum of the layers' outputs at their scale, or attention could not see which token is
        # which; since they are the output layer too, the final norm starts small.
        self.embedding = nn.Parameter(torch.randn(VOCABULARY_SIZE, shape.width) * 0.5)
        self.layers = nn.ModuleList([Layer(shape) for _ in range(shape.layers)])
        self.final_norm = nn.Parameter(torch.full((shape.width,), 0.1))
        for matrix, sizes in list_matrices(self):
            if len(sizes) > 1:
                nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)
            else:
                nn.init.zeros_(matrix)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Logits [positions, vocabulary] at flat positions (row * length + column) of token ids [rows, length].

        Only some positions are learnt, and the output layer is a tenth of the work.
        """
        return self.read_out(self.run_layers(ids)[-1], positions)

    def run_layers(self, ids: Tensor) -> list[Tensor]:
        """The input of each layer and the output of the last one, each [rows, length, width]."""
        cosine, sine = make_rotation(ids.shape[1], self.shape)
        hidden_pairs = find_hidden_pairs(ids)
        states = [functional.embedding(ids, self.embedding)]
        for layer in self.layers:
            states.append(layer(states[-1], cosine, sine, hidden_pairs))
        return states

    def read_out(self, hidden: Tensor, positions: Tensor) -> Tensor:
        """Logits [positions, vocabulary] of the last layer's output at flat positions."""
        chosen = hidden.flatten(0, 1).index_select(0, positions)
        return functional.linear(
            functional.rms_norm(chosen, (self.shape.width,), self.final_norm, NORM_EPSILON), self.embedding
        )


def list_matrices(network: Network) -> list[tuple[nn.Parameter, list[int]]]:
    """The weight matrices, without the embedding, each with the row counts of the projections that it holds."""
    shape = network.shape
    query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    pieces = {"query_key_value": [query, key, key], "gate_up": [shape.intermediate, shape.intermediate]}
    return [
        (parameter, pieces.get(name.split(".")[-2], [parameter.shape[0]]))
        for name, parameter in network.named_parameters()
        if parameter.ndim == 2 and name != "embedding"
    ]


def export(weights: dict[str, Tensor], shape: Shape, directory: Path) -> None:
    """Writes config.json, generation_config.json and model.safetensors (bfloat16) in Hugging Face's Llama layout.

    Args:
        weights: a state of `Network`.
        shape: its shape.
        directory: made if it does not exist.
    """
    from safetensors.torch import save_file

    query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    tensors = {"model.embed_tokens.weight": weights["embedding"], "model.norm.weight": weights["final_norm"]}
    for index in range(shape.layers):
        source, target = f"layers.{index}.", f"model.layers.{index}."
        parts = weights[source + "query_key_value.weight"].split([query, key, key])
        for name, part in zip("qkv", parts, strict=True):
            tensors[f"{target}self_attn.{name}_proj.weight"] = part
        tensors[target + "self_attn.o_proj.weight"] = weights[source + "attention_output.weight"]
        gate, up = weights[source + "gate_up.weight"].chunk(2)
        tensors[target + "mlp.gate_proj.weight"], tensors[target + "mlp.up_proj.weight"] = gate, up
        tensors[target + "mlp.down_proj.weight"] = weights[source + "down.weight"]
        tensors[target + "input_layernorm.weight"] = weights[source + "attention_norm"]
        tensors[target + "post_attention_layernorm.weight"] = weights[source + "feed_forward_norm"]
    directory.mkdir(parents=True, exist_ok=True)
    rounded = {name: tensor.detach().to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    save_file(rounded, directory / "model.safetensors", metadata={"format": "pt"})
    generation = {"bos_token_id": None, "eos_token_id": IM_END_ID, "pad_token_id": END_OF_TEXT_ID}
    for name, content in (("config.json", shape.make_hf_config()), ("generation_config.json", generation)):
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_network(directory: Path) -> Network:
    """The network of an exported checkpoint, frozen, with its weights as they were rounded; the inverse of `export`."""
    from safetensors.torch import load_file

    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=raw["num_attention_heads"],
        kv_heads=raw["num_key_value_heads"],
        head_size=raw["head_dim"],
        intermediate=raw["intermediate_size"],
        rope_theta=raw["rope_theta"],
    )
    tensors = {name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()}
    weights = {"embedding": tensors["model.embed_tokens.weight"], "final_norm": tensors["model.norm.weight"]}
    for index in range(shape.layers):
        source, target = f"model.layers.{index}.", f"layers.{index}."
        parts = [tensors[f"{source}self_attn.{name}_proj.weight"] for name in "qkv"]
        weights[target + "query_key_value.weight"] = torch.cat(parts)
        weights[target + "attention_output.weight"] = tensors[source + "self_attn.o_proj.weight"]
        parts = [tensors[f"{source}mlp.{name}_proj.weight"] for name in ("gate", "up")]
        weights[target + "gate_up.weight"] = torch.cat(parts)
        weights[target + "down.weight"] = tensors[source + "mlp.down_proj.weight"]
        weights[target + "attention_norm"] = tensors[source + "input_layernorm.weight"]
        weights[target + "feed_forward_norm"] = tensors[source + "post_attention_layernorm.weight"]
    network = Network(shape, seed=0)
    network.load_state_dict(weights)
    network.requires_grad_(False)
    return network


def shape_as_dict(shape: Shape) -> dict[str, int | float]:
    """The shape as plain data, for checkpoints and the card."""
    return asdict(shape)


def make_rotation(length: int, shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each [length, head_size / 2]."""
    frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_size, 2) / shape.head_size)
    angles = torch.arange(length)[:, None] * frequencies[None]
    return angles.cos(), angles.sin()


def find_hidden_pairs(ids: Tensor) -> Tensor:
    """[rows, length, length], true where a position must not look: at later ones, and at other chats of its row."""
    ends = ids == END_OF_TEXT_ID
    chats = ends.cumsum(1) - ends.long()
    future = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
    return (chats[:, :, None] != chats[:, None, :]) | future


def _attend(query: Tensor, key: Tensor, value: Tensor, hidden_pairs: Tensor) -> Tensor:
    """Attention of [rows, heads, length, head_size] over keys and values of fewer heads.

    Whole score matrices in bfloat16 take half the time of PyTorch's blockwise attention on a CPU, up to 2,048 tokens.
    """
    rows, heads, length, size = query.shape
    kv_heads = key.shape[1]
    group = heads // kv_heads
    key, value = key.reshape(-1, length, size), value.reshape(-1, length, size)
    scores = torch.bmm(query.reshape(-1, group * length, size), key.transpose(1, 2)).view(rows, heads, length, length)
    weights = (scores * size**-0.5).masked_fill(hidden_pairs[:, None], float("-inf")).softmax(-1).to(value.dtype)
    return torch.bmm(weights.view(-1, group * length, length), value).view(rows, heads, length, size)


def rotate(vectors: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions: turns the pairs (i, i + half) of [..., length, head_size] by the angles."""
    first, second = vectors.float().chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1).to(vectors.dtype)
