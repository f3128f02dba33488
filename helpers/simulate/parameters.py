"""What turns a step's terms into seconds, on a machine and an engine that reach only a part of the published limits."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from helpers.simulate.cost import Terms


@dataclass(frozen=True, slots=True)
class Parameters:
    """Six global parameters, fitted on published figures; on this CPU measured instead, with six more and a curve.

    Attributes:
        memory: seconds of memory traffic / seconds at the published bandwidth (1 / the share that is reached).
        dense, experts: likewise for arithmetic, in matrices that every token uses, and in experts.
        attention: likewise for scores and weighted sums; None where it is that of `dense`.
        layer_s: launching one layer's kernels, as a CUDA graph.
        eager_layer_s: the same without a graph.
        reduce_s: latency of one all-reduce between machines.
        step_s, batch_s, sequence_s, request_s, admit_s: per step, per step of several sequences (a matrix then takes
            the place of a vector throughout), per running sequence, per admitted request, per step that admits some: 0
            on GPUs, where the published figures do not show them.
        decode_factors: (sequences, measured / fitted) of steps that only decode, with straight lines over the logarithm
            of the sequences between them; empty: 1.
        overlaps: memory traffic and arithmetic hide each other (GPU), or add up (this CPU, as `helpers.bench.cause`).
    """

    memory: float
    dense: float
    experts: float
    layer_s: float
    eager_layer_s: float
    reduce_s: float
    attention: float | None = None
    step_s: float = 0.0
    batch_s: float = 0.0
    sequence_s: float = 0.0
    request_s: float = 0.0
    admit_s: float = 0.0
    overlaps: bool = True
    decode_factors: tuple[tuple[int, float], ...] = ()

    def seconds(self, terms: Terms, *, sequences: int, admitted: int = 0, eager: bool = False, link_s: float) -> float:
        """Time of a step; `link_s` is the latency of one all-reduce. Arrays in the terms give an array."""
        memory_s = terms.memory_s * self.memory
        attention = self.dense if self.attention is None else self.attention
        arithmetic_s = terms.dense_s * self.dense + terms.attention_s * attention + terms.expert_s * self.experts
        both_s = np.maximum(memory_s, arithmetic_s) if self.overlaps else memory_s + arithmetic_s
        launches_s = terms.layers * (self.eager_layer_s if eager else self.layer_s)
        fixed_s = self.step_s + sequences * self.sequence_s + admitted * self.request_s
        fixed_s += self.batch_s if sequences > 1 else 0.0
        fixed_s += self.admit_s if admitted else 0.0
        factor = 1.0 if admitted else self._decode_factor(sequences)
        return factor * (both_s + launches_s + terms.reduces * link_s + terms.reduce_s + fixed_s)

    def _decode_factor(self, sequences: int) -> float:
        if not self.decode_factors or sequences < 1:
            return 1.0
        known, factors = zip(*self.decode_factors, strict=True)
        return float(np.interp(math.log(sequences), np.log(known), factors))

    def scaled(self, bytes_and_launches: float, arithmetic: float) -> "Parameters":
        """All costs times a factor: an end of the interval. Arithmetic has a factor of its own, as its error has."""
        return replace(
            self,
            memory=self.memory * bytes_and_launches,
            dense=self.dense * arithmetic,
            experts=self.experts * arithmetic,
            attention=None if self.attention is None else self.attention * arithmetic,
            layer_s=self.layer_s * bytes_and_launches,
            eager_layer_s=self.eager_layer_s * bytes_and_launches,
            reduce_s=self.reduce_s * bytes_and_launches,
            step_s=self.step_s * bytes_and_launches,
            batch_s=self.batch_s * bytes_and_launches,
            sequence_s=self.sequence_s * bytes_and_launches,
            request_s=self.request_s * bytes_and_launches,
            admit_s=self.admit_s * bytes_and_launches,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)
