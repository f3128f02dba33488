"""The EAGLE-3 head in PyTorch, for training only, and its export in the layout that vLLM and SGLang load.

Source: Li et al., "EAGLE-3: Scaling up Inference Acceleration of Large Language Models via Training-Time Test", 2025,
https://arxiv.org/abs/2503.01840, and the layout of its published heads.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.models.eagle import FEATURE_COUNT, HeadConfig
from helpers.models.training.network import (
    NORM_EPSILON,
    Network,
    Shape,
    find_hidden_pairs,
    make_rotation,
    rotate,
)
from helpers.models.training.tokenizer import CONTEXT_LENGTH, END_OF_TEXT_ID, VOCABULARY_SIZE

FEATURE_LAYERS = (1, 3, 5)
"""The states read from the target are the inputs of these layers: low, middle and high of six."""
INTERMEDIATE = 512


class Head(nn.Module):  # type: ignore[misc]
    """One decoder layer over [token vector; feature], with the target's own embedding and output matrix.

    Position p stands for the pair (token p + 1, feature of p) and foresees token p + 2. The feature of the first step
    is fused from three states of the target; later steps take the head's own output, not yet normed, in its place.

    Args:
        target: whose tokens it foresees; its embedding is shared, and not trained.
        seed: of the weights.
    """

    def __init__(self, target: Network, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        shape = self.shape = target.shape
        width = shape.width
        query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        self.fuse = nn.Linear(FEATURE_COUNT * width, width, bias=False)
        self.query_key_value = nn.Linear(2 * width, query + 2 * key, bias=False)
        self.attention_output = nn.Linear(query, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * INTERMEDIATE, bias=False)
        self.down = nn.Linear(INTERMEDIATE, width, bias=False)
        self.token_norm = nn.Parameter(torch.ones(width))
        self.feature_norm = nn.Parameter(torch.ones(width))
        self.feed_forward_norm = nn.Parameter(torch.ones(width))
        self.final_norm = nn.Parameter(target.final_norm.detach().clone())
        self.register_buffer("embedding", target.embedding.detach().clone(), persistent=False)
        for matrix in (self.attention_output.weight, self.down.weight):
            nn.init.zeros_(matrix)
        for matrix in (self.query_key_value.weight, self.gate_up.weight, self.fuse.weight):
            nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)

    def forward(self, ids: Tensor, states: Tensor, steps: int) -> list[Tensor]:
        """Training-time test: what the head would say after each of `steps` steps from every position.

        Args:
            ids: [rows, length].
            states: the target's three states side by side, [rows, length, 3 * width].
            steps: how often it runs on its own output; 1 is the first step alone.

        Returns:
            For each step, its output [rows, length, width] before the final norm: at position p after step j (from 0),
            what foresees token p + 2 + j, given the text up to p + 1 + j.
        """
        cosine, sine = make_rotation(ids.shape[1] + steps, self.shape)
        hidden_pairs = find_hidden_pairs(ids)
        feature = self.fuse(states)
        outputs: list[Tensor] = []
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for step in range(steps):
            tokens = functional.pad(ids[:, step + 1 :], (0, step + 1), value=END_OF_TEXT_ID)
            vectors = functional.embedding(tokens, self.embedding)
            both = torch.cat([self._norm(vectors, self.token_norm), self._norm(feature, self.feature_norm)], -1)
            angles = slice(step, step + ids.shape[1])
            query, key, value = self._project(both, cosine[angles], sine[angles])
            keys.append(key)
            values.append(value)
            mixed = _attend(query, keys, values, hidden_pairs)
            hidden = feature + self.attention_output(mixed)
            gate, up = self.gate_up(self._norm(hidden, self.feed_forward_norm)).chunk(2, -1)
            feature = hidden + self.down(functional.silu(gate) * up)
            outputs.append(feature)
        return outputs

    def read_out(self, output: Tensor, positions: Tensor) -> Tensor:
        """Logits [positions, vocabulary] at flat positions of one step's output."""
        chosen = output.flatten(0, 1).index_select(0, positions)
        return functional.linear(self._norm(chosen, self.final_norm), self.embedding)

    def list_matrices(self) -> list[tuple[nn.Parameter, list[int]]]:
        """The weight matrices, each with the row counts of the projections that it holds."""
        shape = self.shape
        query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        return [
            (self.fuse.weight, [shape.width]),
            (self.query_key_value.weight, [query, key, key]),
            (self.attention_output.weight, [shape.width]),
            (self.gate_up.weight, [INTERMEDIATE, INTERMEDIATE]),
            (self.down.weight, [shape.width]),
        ]

    def _norm(self, values: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(values, (self.shape.width,), weight, NORM_EPSILON)

    def _project(self, both: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query [rows, kv_heads, group, length, head_size]; key and value without the group."""
        shape = self.shape
        rows, length, _ = both.shape
        query_size, key_size = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        query, key, value = self.query_key_value(both).split([query_size, key_size, key_size], -1)
        query = rotate(query.view(rows, length, shape.heads, -1).transpose(1, 2), cosine, sine)
        key = rotate(key.view(rows, length, shape.kv_heads, -1).transpose(1, 2), cosine, sine)
        value = value.view(rows, length, shape.kv_heads, -1).transpose(1, 2)
        return query.unflatten(1, (shape.kv_heads, -1)), key, value


def export_head(weights: dict[str, Tensor], shape: Shape, directory: Path) -> None:
    """Writes config.json and model.safetensors (bfloat16), see `helpers.models.eagle`; embedding and output are shared.

    Args:
        weights: a state of `Head`.
        shape: the target's.
        directory: made if it does not exist.
    """
    from safetensors.torch import save_file

    config = HeadConfig(
        vocabulary_size=VOCABULARY_SIZE,
        width=shape.width,
        target_width=shape.width,
        feature_layers=FEATURE_LAYERS,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        intermediate_size=INTERMEDIATE,
        context_length=CONTEXT_LENGTH,
        rope_theta=shape.rope_theta,
        norm_epsilon=NORM_EPSILON,
    )
    query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    queries, keys, values = weights["query_key_value.weight"].split([query, key, key])
    gate, up = weights["gate_up.weight"].chunk(2)
    tensors = {
        "fc.weight": weights["fuse.weight"],
        "midlayer.input_layernorm.weight": weights["token_norm"],
        "midlayer.hidden_norm.weight": weights["feature_norm"],
        "midlayer.self_attn.q_proj.weight": queries,
        "midlayer.self_attn.k_proj.weight": keys,
        "midlayer.self_attn.v_proj.weight": values,
        "midlayer.self_attn.o_proj.weight": weights["attention_output.weight"],
        "midlayer.post_attention_layernorm.weight": weights["feed_forward_norm"],
        "midlayer.mlp.gate_proj.weight": gate,
        "midlayer.mlp.up_proj.weight": up,
        "midlayer.mlp.down_proj.weight": weights["down.weight"],
        "norm.weight": weights["final_norm"],
    }
    directory.mkdir(parents=True, exist_ok=True)
    rounded = {name: tensor.detach().to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}
    save_file(rounded, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps(config.make_hf_config(), indent=2) + "\n", encoding="utf-8")


def _attend(query: Tensor, keys: list[Tensor], values: list[Tensor], hidden_pairs: Tensor) -> Tensor:
    """Attention of one step, [rows, length, heads * head_size].

    A chain that begins at position p sees the first step's pairs up to p, and of each later step its own pair alone:
    those of other chains would be guesses that it never made.
    """
    rows, kv_heads, group, length, size = query.shape
    folded = query.reshape(rows * kv_heads, group * length, size)
    first = torch.bmm(folded, keys[0].reshape(-1, length, size).transpose(1, 2)).view(rows, -1, length, length)
    first = first.masked_fill(hidden_pairs[:, None], float("-inf")).view(rows, kv_heads, group, length, length)
    own = [(query * key[:, :, None]).sum(-1, keepdim=True) for key in keys[1:]]
    weights = (torch.cat([first, *own], -1).float() * size**-0.5).softmax(-1).to(query.dtype)
    seen = weights[..., :length].reshape(rows * kv_heads, group * length, length)
    mixed = torch.bmm(seen, values[0].reshape(-1, length, size)).view(rows, kv_heads, group, length, size)
    for index, value in enumerate(values[1:]):
        mixed = mixed + weights[..., length + index, None] * value[:, :, None]
    return mixed.flatten(1, 2).transpose(1, 2).reshape(rows, length, -1)
