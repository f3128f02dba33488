"""A Llama as an ONNX graph, written without running it: nodes that say what is computed, and a file of weights.

    ids     int64   [sequences, tokens]                           the new tokens
    starts  int64   [sequences]                                   how many tokens of each are in the cache
    last    int64   [sequences]                                   place of each sequence's last new token
    past_N  float32 [sequences, past, 2, kv_heads, head_size]     layer N's keys and values, keys first
      ->
    logits  float32 [sequences, vocabulary]                       after the last new token
    new_N   float32 [sequences, tokens, 2, kv_heads, head_size]   what belongs into the cache

The formulas are those of `helpers.models.llama`. Places of `past` behind `starts` are never looked at, nor does a token
see one behind it, so that a shape can be filled up with anything. Operators of ONNX alone, so that every compiler of
ONNX may take it. Weights are kept apart (`external data` in ONNX's words) and written one at a time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from helpers.models.checkpoint import Floats, LlamaConfig, StoredTensor, read_config, read_tensors
from helpers.nano.model import make_rotation

OPSET = 23
"""The first with Attention as one operator; `expand_attention` is for compilers that do not know it."""

GRAPH_FILE = "graph.onnx"
WEIGHTS_FILE = "graph.weights"

INLINE_BYTES = 1024
"""Smaller tensors stay in the graph itself."""

ALIGNMENT = 4096
"""Weights begin at multiples of it, so that they can be mapped into memory (onnx.external_data_helper)."""

HIDDEN_POSITION = 2**40
"""A position that no token reaches: what has it is never looked at."""


def write_graph(directory: Path, folder: Path) -> None:
    """Write a checkpoint as `graph.onnx` and `graph.weights`.

    Args:
        directory: in Hugging Face layout.
        folder: where the two files go.

    Raises:
        UsageError: it is no plain Llama. MissingError: files are missing or damaged.
    """
    config = read_config(directory)
    with (folder / WEIGHTS_FILE).open("wb") as weights:
        model = LlamaGraph(config, read_tensors(directory), weights).make()
    onnx.save(model, folder / GRAPH_FILE)


def expand_attention(path: Path) -> None:
    """Replace each Attention in a graph by what ONNX defines it as, in operators that older compilers know too."""
    from onnx import inliner

    model = onnx.load(path, load_external_data=False)
    onnx.save(inliner.inline_selected_functions(model, [("", "Attention")], inline_schema_functions=True), path)


class LlamaGraph:
    """Makes the graph of one model.

    Args:
        config: its shape.
        tensors: where its weights are.
        weights: the file that takes them.
    """

    def __init__(self, config: LlamaConfig, tensors: dict[str, StoredTensor], weights: BinaryIO) -> None:
        self._config = config
        self._tensors = tensors
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def make(self) -> onnx.ModelProto:
        """The whole model."""
        config = self._config
        self._place_tokens()
        hidden = self._op("Gather", self._weight("embedding", self._read("model.embed_tokens.weight")), "ids")
        for layer in range(config.layers):
            prefix = f"model.layers.{layer}."
            normed = self._norm(hidden, prefix + "input_layernorm.weight")
            hidden = self._op("Add", hidden, self._attend(layer, normed))
            normed = self._norm(hidden, prefix + "post_attention_layernorm.weight")
            hidden = self._op("Add", hidden, self._feed_forward(prefix + "mlp.", normed))
        rows = self._op("GatherND", hidden, self._op("Unsqueeze", "last", self._ints([1])), batch_dims=1)
        output = "model.embed_tokens.weight" if config.tied_embeddings else "lm_head.weight"
        self._multiply(self._norm(rows, "model.norm.weight"), "output", [output], result="logits")
        kv = [2, config.kv_heads, config.head_size]
        layers = range(config.layers)
        inputs = [
            _tensor("ids", TensorProto.INT64, ["sequences", "tokens"]),
            _tensor("starts", TensorProto.INT64, ["sequences"]),
            _tensor("last", TensorProto.INT64, ["sequences"]),
            *(_tensor(f"past_{layer}", TensorProto.FLOAT, ["sequences", "past", *kv]) for layer in layers),
        ]
        outputs = [
            _tensor("logits", TensorProto.FLOAT, ["sequences", config.vocabulary_size]),
            *(_tensor(f"new_{layer}", TensorProto.FLOAT, ["sequences", "tokens", *kv]) for layer in layers),
        ]
        graph = helper.make_graph(self._nodes, "llama", inputs, outputs, list(self._constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=11)

    def _place_tokens(self) -> None:
        """Rotary angles of the new tokens, and which positions each of them sees."""
        starts = self._op("Unsqueeze", "starts", self._ints([1]))
        tokens = self._count("ids", 1)
        positions = self._op("Add", starts, self._count_up(tokens))
        # A shape that was filled up may reach beyond the last position there is.
        known = self._op("Min", positions, self._ints([self._config.context_length - 1]))
        for name, table in zip(("cosine", "sine"), make_rotation(self._config), strict=True):
            angles = self._op("Gather", self._weight(f"{name}_table", table), known)
            self._op("Unsqueeze", angles, self._ints([2]), result=name)
        places = self._count_up(self._count("past_0", 1))
        held = self._op("Less", places, starts)
        before = self._op("Where", held, places, self._ints([HIDDEN_POSITION]))
        keys = self._op("Unsqueeze", self._op("Concat", before, positions, axis=1), self._ints([1]))
        seen = self._op("LessOrEqual", keys, self._op("Unsqueeze", positions, self._ints([2])))
        mask = self._op("Where", seen, self._floats(0.0), self._floats(-np.inf))
        self._op("Unsqueeze", mask, self._ints([1]), result="mask")  # the same for all heads

    def _attend(self, layer: int, normed: str) -> str:
        """Attention with the cache, [sequences, tokens, width]."""
        config, prefix = self._config, f"model.layers.{layer}.self_attn."
        heads, kv_heads, size = config.heads, config.kv_heads, config.head_size
        names = [prefix + f"{part}_proj.weight" for part in "qkv"]
        projected = self._multiply(normed, f"query_key_value_{layer}", names)
        vectors = self._op("Reshape", projected, self._ints([0, 0, heads + 2 * kv_heads, size]))
        turning, value = self._split(vectors, [heads + kv_heads, kv_heads], axis=2)
        query, key = self._split(self._rotate(turning), [heads, kv_heads], axis=2)
        parts = [self._op("Unsqueeze", part, self._ints([2])) for part in (key, value)]
        new = self._op("Concat", *parts, axis=2, result=f"new_{layer}")
        known = self._op("Concat", f"past_{layer}", new, axis=1)
        flat = [self._op("Gather", known, self._scalar(which), axis=2) for which in (0, 1)]
        keys, values = (self._op("Reshape", part, self._ints([0, 0, kv_heads * size])) for part in flat)
        query = self._op("Reshape", query, self._ints([0, 0, heads * size]))
        joined = self._op("Attention", query, keys, values, "mask", q_num_heads=heads, kv_num_heads=kv_heads)
        return self._multiply(joined, f"attention_output_{layer}", [prefix + "o_proj.weight"])

    def _rotate(self, vectors: str) -> str:
        half = self._config.head_size // 2
        first, second = self._split(vectors, [half, half], axis=3)
        turned = self._op("Sub", self._op("Mul", first, "cosine"), self._op("Mul", second, "sine"))
        other = self._op("Add", self._op("Mul", second, "cosine"), self._op("Mul", first, "sine"))
        return self._op("Concat", turned, other, axis=3)

    def _feed_forward(self, prefix: str, normed: str) -> str:
        """SwiGLU: (silu(gate) * up) @ down."""
        names = [prefix + "gate_proj.weight", prefix + "up_proj.weight"]
        both = self._multiply(normed, prefix + "gate_up", names)
        gate, up = self._split(both, [self._config.intermediate_size] * 2, axis=2)
        activated = self._op("Mul", self._op("Mul", gate, self._op("Sigmoid", gate)), up)
        return self._multiply(activated, prefix + "down", [prefix + "down_proj.weight"])

    def _norm(self, values: str, name: str) -> str:
        # Written as a power, ONNX Runtime knows the pattern and makes one kernel of it.
        squares = self._op("Pow", values, self._floats(2.0))
        mean = self._op("ReduceMean", squares, self._ints([-1]), keepdims=1)
        root = self._op("Sqrt", self._op("Add", mean, self._floats(self._config.norm_epsilon)))
        return self._op("Mul", self._op("Div", values, root), self._weight(name, self._read(name)))

    def _multiply(self, values: str, name: str, weights: Sequence[str], result: str = "") -> str:
        """values @ weight; weights of the same input are fused, and stored [inputs, outputs]."""
        fused = np.concatenate([self._read(weight) for weight in weights]).T
        return self._op("MatMul", values, self._weight(name, fused), result=result)

    def _count(self, tensor: str, axis: int) -> str:
        """The length of an axis, as a scalar."""
        return self._op("Squeeze", self._op("Shape", tensor, start=axis, end=axis + 1))

    def _count_up(self, length: str) -> str:
        return self._op("Range", self._scalar(0), length, self._scalar(1))

    def _split(self, values: str, sizes: Sequence[int], axis: int) -> list[str]:
        names = [f"part_{len(self._nodes)}_{index}" for index in range(len(sizes))]
        self._nodes.append(helper.make_node("Split", [values, self._ints(sizes)], names, axis=axis))
        return names

    def _op(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        result = result or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [result], **attributes))
        return result

    def _read(self, name: str) -> Floats:
        return self._tensors[name].read()

    def _ints(self, values: Sequence[int]) -> str:
        return self._constant(np.array(values, np.int64))

    def _scalar(self, value: int) -> str:
        return self._constant(np.array(value, np.int64))

    def _floats(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{values.dtype}_{values.tolist()}"
        return self._keep(name, numpy_helper.from_array(values, name))

    def _weight(self, name: str, values: Floats) -> str:
        if values.nbytes < INLINE_BYTES:
            return self._keep(name, numpy_helper.from_array(values, name))
        self._weights.seek(-(-self._weights.tell() // ALIGNMENT) * ALIGNMENT)
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": WEIGHTS_FILE, "offset": self._weights.tell(), "length": values.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._weights.write(np.ascontiguousarray(values).data)
        return self._keep(name, tensor)

    def _keep(self, name: str, tensor: onnx.TensorProto) -> str:
        self._constants.setdefault(name, tensor)
        return name


def _tensor(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
