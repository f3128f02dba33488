"""Bytes and FLOPs of a transformer's steps from its config, and the speed limit they set on a machine.

Roofline: a step can be no faster than the slower of moving its bytes and doing its operations (Williams, Waterman,
Patterson, "Roofline: an insightful visual performance model", 2009). Counts follow Kaplan et al., "Scaling laws for
neural language models" (2020), section 2.1: two FLOPs a matrix parameter a token, plus attention.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helpers.errors import UsageError
from helpers.models.weights import bytes_per_weight


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that bytes and FLOPs follow from.

    Attributes:
        experts, experts_per_token: 1 and 1 for a dense model.
        tied: the output head is the embedding table.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocabulary: int
    tied: bool
    experts: int = 1
    experts_per_token: int = 1

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ModelShape":
        """Read a Hugging Face config.json of the Llama family (Llama, Qwen, Mistral and their expert variants).

        Raises:
            UsageError: a size is missing, as in architectures with another kind of layer.
        """
        try:
            heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
            experts = int(config.get("num_experts") or config.get("num_local_experts") or 1)
            return cls(
                layers=int(config["num_hidden_layers"]),
                hidden=hidden,
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_size=int(config.get("head_dim") or hidden // heads),
                intermediate=int(
                    config["moe_intermediate_size"]
                    if experts > 1 and "moe_intermediate_size" in config
                    else config["intermediate_size"]
                ),
                vocabulary=int(config["vocab_size"]),
                tied=bool(config.get("tie_word_embeddings", False)),
                experts=experts,
                experts_per_token=int(config.get("num_experts_per_tok") or 1) if experts > 1 else 1,
            )
        except KeyError as missing:
            raise UsageError(
                f"the model's config has no {missing}",
                "its layers are not those of the Llama family, so their bytes cannot be counted this way",
                "",
            ) from missing

    @property
    def attention_parameters(self) -> int:
        """Query, key, value and output matrices of all layers."""
        width = self.heads + 2 * self.kv_heads + self.heads
        return self.layers * self.hidden * width * self.head_size

    @property
    def expert_parameters(self) -> int:
        """Gate, up and down matrices of one expert, over all layers (a dense model has one)."""
        return self.layers * 3 * self.hidden * self.intermediate

    @property
    def head_parameters(self) -> int:
        """The output head, which is the embedding table where they are tied."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All matrix parameters; norms and router are left out (below 0.1 %)."""
        embeddings = self.head_parameters * (1 if self.tied else 2)
        return self.attention_parameters + self.experts * self.expert_parameters + embeddings

    @property
    def active_parameters(self) -> int:
        """Matrix parameters that one token is multiplied with, output head included."""
        return self.attention_parameters + self.experts_per_token * self.expert_parameters + self.head_parameters

    def read_parameters(self, tokens: int) -> float:
        """Matrix parameters read in a step over that many tokens: the experts that at least one token chose.

        With k of E experts drawn evenly, E * (1 - (1 - k / E) ** tokens) of them are expected.
        """
        untouched = (1 - self.experts_per_token / self.experts) ** tokens
        touched = self.experts * (1 - untouched)
        return self.attention_parameters + touched * self.expert_parameters + self.head_parameters

    def kv_bytes_per_token(self, kv_precision: str = "f16") -> float:
        """Bytes of keys and values that one position keeps: 2 * layers * kv_heads * head_size * bytes a value."""
        return 2 * self.layers * self.kv_heads * self.head_size * bytes_per_weight(kv_precision)


@dataclass(frozen=True, slots=True)
class StepCost:
    """Memory traffic and operations of one step, and the tokens it advances."""

    bytes: float
    flops: float
    tokens: int

    @property
    def intensity(self) -> float:
        """FLOPs a byte: below rate / bandwidth the step is bound by memory, above it by arithmetic."""
        return self.flops / self.bytes

    def fastest_s(self, bandwidth_bytes_per_s: float, flops_per_s: float) -> float:
        """No machine with these limits does the step in less."""
        return max(self.bytes / bandwidth_bytes_per_s, self.flops / flops_per_s)

    def limit_tokens_per_s(self, bandwidth_bytes_per_s: float, flops_per_s: float) -> float:
        """The most tokens a second at these limits."""
        return self.tokens / self.fastest_s(bandwidth_bytes_per_s, flops_per_s)


def decode_step(
    shape: ModelShape, precision: str, *, batch: int, context_tokens: float, kv_precision: str = "f16"
) -> StepCost:
    """One decode step: every sequence of the batch gains one token.

    Bytes: the weights once, whatever the batch, and each sequence's keys and values. FLOPs: two a parameter a
    sequence, and 4 * layers * heads * head_size a position of context (scores and weighted sum).
    """
    kv_bytes = batch * context_tokens * shape.kv_bytes_per_token(kv_precision)
    weights = shape.read_parameters(batch) * bytes_per_weight(precision)
    attention = 4 * shape.layers * shape.heads * shape.head_size * context_tokens
    return StepCost(weights + kv_bytes, batch * (2 * shape.active_parameters + attention), batch)


def prefill_step(
    shape: ModelShape, precision: str, *, prompt_tokens: int, chunk_tokens: int = 512, kv_precision: str = "f16"
) -> StepCost:
    """The whole prefill of one prompt, in chunks as engines do it (llama.cpp -ub 512, vLLM chunked prefill).

    Bytes: the weights once a chunk, and the keys and values written. FLOPs: two a parameter a token (the output head
    for the last token only), and attention over half the prompt on average (causal).
    """
    chunks = -(-prompt_tokens // chunk_tokens)
    per_chunk = min(prompt_tokens, chunk_tokens)
    weights = chunks * shape.read_parameters(per_chunk) * bytes_per_weight(precision)
    kv_bytes = prompt_tokens * shape.kv_bytes_per_token(kv_precision)
    body = shape.active_parameters - shape.head_parameters
    attention = 4 * shape.layers * shape.heads * shape.head_size * prompt_tokens / 2
    flops = prompt_tokens * (2 * body + attention) + 2 * shape.head_parameters
    return StepCost(weights + kv_bytes, flops, prompt_tokens)


@dataclass(frozen=True, slots=True)
class Fraction:
    """A measured rate beside its limit, both in tokens a second, and what sets the limit."""

    measured_tokens_per_s: float
    limit_tokens_per_s: float
    bound: str

    @property
    def share(self) -> float:
        """Measured / limit; above 1 means that the limit was measured too low or the step counted too dear."""
        return self.measured_tokens_per_s / self.limit_tokens_per_s


def fraction_of_limit(
    measured_tokens_per_s: float, cost: StepCost, *, bandwidth_bytes_per_s: float, flops_per_s: float
) -> Fraction:
    """Put a measured rate beside the limit of its step; `bound` is "memory" or "arithmetic"."""
    memory_s, arithmetic_s = cost.bytes / bandwidth_bytes_per_s, cost.flops / flops_per_s
    limit = cost.limit_tokens_per_s(bandwidth_bytes_per_s, flops_per_s)
    return Fraction(measured_tokens_per_s, limit, "memory" if memory_s >= arithmetic_s else "arithmetic")
