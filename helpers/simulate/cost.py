"""What a step moves and computes, in seconds at a machine's published limits.

Counts follow `helpers.bench.roofline` (Kaplan et al. 2020: two FLOPs a parameter a token, plus attention), here for
models whose parts are stored in different precisions, whose experts are touched by chance, whose attention may see a
window only, and for steps that mix prompts and decoding.
"""

from dataclasses import dataclass

from helpers.errors import UsageError
from helpers.models.weights import BYTES_PER_WEIGHT
from helpers.simulate.architectures import Architecture
from helpers.simulate.devices import Device

UNQUANTIZED_HEAD = ("fp8", "nvfp4", "int4")
"""Checkpoints that leave embeddings and output head in bf16 (NVIDIA's FP8 and NVFP4, Qwen's FP8, GPTQ and AWQ)."""

MXFP4_REST = {"llama.cpp": "q8_0", "vllm": "mxfp4"}
"""What an mxfp4 model's other matrices are stored in, by engine; bf16 as in the checkpoint elsewhere. ggml-org's GGUF
has q8_0 (its 11.27 GiB for gpt-oss-20b follow from that), Ollama's keeps bf16; the vLLM builds behind the published
figures on a Spark quantize query, key, value, output and head as well (options mxfp4-layers moe,qkv,o,lm_head)."""

COMPUTE = {
    "f32": "f32",
    "bf16": "bf16",
    "f16": "bf16",
    "fp8": "fp8",
    "nvfp4": "nvfp4",
    "mxfp4": "fp8",
    "int4": "bf16",
    "q8_0": "fp8",
    "q4_k_m": "fp8",
}
"""Precision of the weights -> precision of the multiplication. mxfp4 goes with 8-bit activations, llama.cpp's formats
with int8 ones (at the rate of fp8); int4 is unpacked (Marlin)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Bytes a weight takes in each part of the model, bytes a number of the KV cache takes, and how it multiplies."""

    body: float
    experts: float
    head: float
    kv: float
    compute: str


@dataclass(frozen=True, slots=True)
class Load:
    """What one step computes.

    Attributes:
        sequences: that take part.
        tokens: new positions of all of them.
        logits: of how many tokens the head is computed.
        reads: positions whose keys and values full attention reads: the contexts' sum; window_reads: likewise.
        scores: positions that the new tokens attend to, added up; window_scores: likewise.
    """

    sequences: int
    tokens: int
    logits: int
    reads: float
    window_reads: float
    scores: float
    window_scores: float


@dataclass(frozen=True, slots=True)
class Terms:
    """A step in seconds at the published limits, before any efficiency; `layers` and `reduces` are counts."""

    memory_s: float
    dense_s: float
    attention_s: float
    expert_s: float
    layers: int
    reduces: int
    reduce_s: float


def make_layout(architecture: Architecture, quantization: str, engine: str) -> Layout:
    """How an engine stores a model.

    Raises:
        UsageError: an unknown quantization.
    """
    if quantization not in BYTES_PER_WEIGHT:
        raise UsageError(f"unknown quantization {quantization!r}", f"known are {', '.join(BYTES_PER_WEIGHT)}")
    body = experts = head = BYTES_PER_WEIGHT[quantization]
    if quantization in UNQUANTIZED_HEAD:
        head = BYTES_PER_WEIGHT["bf16"]
    elif quantization == "mxfp4":
        head = BYTES_PER_WEIGHT[MXFP4_REST.get(engine, "bf16")]
        body = head if architecture.expert_parameters else body
    # nano keeps keys and values in float32, as every engine does whose weights are.
    kv = 4.0 if quantization == "f32" or engine == "nano" else 2.0
    return Layout(body, experts, head, kv, COMPUTE[quantization])


def weight_bytes(architecture: Architecture, layout: Layout) -> float:
    """Memory that all weights take, the embedding table included."""
    tables = 1 if architecture.tied else 2
    return (
        architecture.body_parameters * layout.body
        + architecture.experts * architecture.expert_parameters * layout.experts
        + architecture.head_parameters * layout.head * tables
    )


def sequence_bytes(architecture: Architecture, layout: Layout, tokens: int) -> float:
    """Memory that a sequence of so many tokens keeps: keys, values, and recurrent state in float32."""
    return architecture.kv_values(tokens) * layout.kv + architecture.state_values * 4.0


def piece_load(architecture: Architecture, start: int, tokens: int, *, logits: int) -> Load:
    """One sequence that computes positions start to start + tokens - 1."""
    end, window = start + tokens, architecture.window
    scores = tokens * start + tokens * (tokens + 1) / 2
    full = max(0, end - max(start, window))  # new positions that see a whole window
    rising = tokens - full
    window_scores = full * window + rising * start + rising * (rising + 1) / 2 if window else 0.0
    return Load(1, tokens, logits, end, min(end, window + tokens - 1) if window else 0, scores, window_scores)


def decode_load(sequences: int, context: float, window: int) -> Load:
    """A decode step: each sequence gains one token at that context, its own position included."""
    seen, near = sequences * context, sequences * min(context, window)
    return Load(sequences, sequences, sequences, seen, near, seen, near)


def step_terms(architecture: Architecture, layout: Layout, device: Device, load: Load, *, parallel: int = 1) -> Terms:
    """The step's terms on `parallel` devices that share every layer.

    Bytes: the matrices once, of experts those that a token chose, the head if logits are wanted; keys and values of
    the contexts read and of the new tokens written; recurrent state read and written. An all-reduce of the hidden
    states follows attention and feed-forward of each layer (ring: 2 (n - 1) / n of its bytes a device).
    """
    weights = architecture.body_parameters * layout.body
    if architecture.expert_parameters:
        weights += architecture.touched_experts(load.tokens) * architecture.expert_parameters * layout.experts
    if load.logits:
        weights += architecture.head_parameters * layout.head
    read = load.reads * architecture.full_layers + load.window_reads * architecture.window_layers
    written = load.tokens * (architecture.full_layers + architecture.window_layers)
    kv_bytes = (read + written) * architecture.kv_values_per_layer * layout.kv
    state_bytes = 2 * 4.0 * architecture.state_values * load.sequences
    attended = load.scores * architecture.full_layers + load.window_scores * architecture.window_layers
    attention_flops = 4.0 * architecture.heads * architecture.head_size * attended
    dense_flops = 2.0 * (load.tokens * architecture.body_parameters + load.logits * architecture.head_parameters)
    expert_flops = 2.0 * load.tokens * architecture.experts_per_token * architecture.expert_parameters
    rate, attention_rate = device.rate(layout.compute), device.rate("f32" if layout.compute == "f32" else "bf16")
    reduces = 2 * architecture.layers if parallel > 1 else 0
    moved = 2 * (parallel - 1) / parallel * load.tokens * architecture.hidden * 2.0
    return Terms(
        memory_s=(weights + kv_bytes + state_bytes) / parallel / device.bandwidth_bytes_per_s,
        dense_s=dense_flops / rate / parallel,
        attention_s=attention_flops / attention_rate / parallel,
        expert_s=expert_flops / rate / parallel,
        layers=architecture.layers,
        reduces=reduces,
        reduce_s=reduces * moved / device.link.bandwidth_bytes_per_s,
    )
