"""The six global parameters, fitted on published DGX Spark figures, and how far each figure is missed, left out or not.

Time is linear in the parameters where memory bounds a step, and where arithmetic does, so each part is a least-squares
fit of relative errors that may not go below zero, like `helpers.bench.cause`:

    decoding        memory * bytes / bandwidth + layer_s * layers                       rows with graphs, one Spark
    eager           the same with eager_layer_s instead, memory as above                eager rows
    two Sparks      the same on half the bytes, + reduce_s * 2 * layers                 rows of two Sparks
    prefill         dense * FLOPs / rate + experts * FLOPs / rate                       rows with a prefill rate

A figure that its source's chip cannot reach, or that a build without the chip's kernels gave, is left out and shown.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from helpers.bench.published import PublishedFigure, published
from helpers.simulate.architectures import architecture
from helpers.simulate.cost import Load, Terms, decode_load, make_layout, piece_load, step_terms
from helpers.simulate.devices import published_devices
from helpers.simulate.parameters import Parameters

Floats = NDArray[np.float64]

ASSUMED_CONTEXT = 2048
"""Prompt length of a figure whose source states none: the length that the other sources state."""

CHUNK_TOKENS = 2048
"""Of a prefill: llama.cpp's figures say -ub 2048, vLLM takes 2,048 on this chip."""

COVERAGE = 0.8
"""Of the interval: so many of the left-out figures lie within its factor."""


@dataclass(frozen=True, slots=True)
class Row:
    """A published figure beside what the model says.

    Attributes:
        kind: decode, prefill, eager, two-sparks, or why it is left out (stock, implausible).
        published_per_s, simulated_per_s: tokens a second, of all streams.
        left_out_per_s: what a fit without this figure says; None where it is in no fit or alone in it.
    """

    figure: PublishedFigure
    kind: str
    published_per_s: float
    simulated_per_s: float
    left_out_per_s: float | None = None

    @property
    def error(self) -> float:
        """simulated / published - 1."""
        return self.simulated_per_s / self.published_per_s - 1

    @property
    def left_out_error(self) -> float | None:
        """The same of the fit without this figure."""
        return None if self.left_out_per_s is None else self.left_out_per_s / self.published_per_s - 1

    @property
    def name(self) -> str:
        """The figure in a line."""
        figure = self.figure
        sparks = f", {figure.sparks} Sparks" if figure.sparks > 1 else ""
        how = f", {figure.how}" if figure.how else ""
        return f"{figure.engine}, {figure.model} {figure.precision}, batch {figure.batch}{sparks}{how}"


@dataclass(frozen=True, slots=True)
class Fit:
    """The parameters and every published figure beside them.

    Attributes:
        decode_factor, prefill_factor, sparks_factor: published / simulated lies between 1 / factor and the factor for
            80 % of the left-out figures of that kind (of two Sparks: for all of the few there are).
    """

    parameters: Parameters
    rows: tuple[Row, ...]
    decode_factor: float
    prefill_factor: float
    sparks_factor: float

    def of_kind(self, kind: str) -> list[Row]:
        """The rows of one kind."""
        return [row for row in self.rows if row.kind == kind]


@dataclass(frozen=True, slots=True)
class _Sample:
    figure: PublishedFigure
    kind: str
    tokens: int
    seconds: float
    terms: tuple[Terms, ...]


@cache
def fit() -> Fit:
    """Fit on `helpers/bench/published.toml`; milliseconds, and the same every time."""
    samples = _samples()
    parameters = _fit(samples)
    rows = []
    for index, sample in enumerate(samples):
        left_out = None
        if sample.kind in ("decode", "prefill") or _count(samples, sample.kind) > 1:
            left_out = _rate(sample, _fit([*samples[:index], *samples[index + 1 :]]))
        if sample.kind in ("stock", "implausible"):
            left_out = None
        published_per_s = sample.tokens / sample.seconds
        rows.append(Row(sample.figure, sample.kind, published_per_s, _rate(sample, parameters), left_out))
    return Fit(
        parameters,
        tuple(rows),
        decode_factor=_factor(rows, "decode", COVERAGE),
        prefill_factor=_factor(rows, "prefill", COVERAGE),
        sparks_factor=_factor(rows, "two-sparks", 1.0),
    )


def _count(samples: Sequence[_Sample], kind: str) -> int:
    return sum(sample.kind == kind for sample in samples)


def _samples() -> list[_Sample]:
    made = []
    for figure in published():
        if figure.decode_tokens_per_s:
            terms = (_decode_terms(figure),)
            seconds = figure.batch / figure.decode_tokens_per_s
            made.append(_Sample(figure, _decode_kind(figure), figure.batch, seconds, terms))
        if figure.prefill_tokens_per_s:
            tokens = figure.batch * (figure.input_tokens or ASSUMED_CONTEXT)
            kind = "implausible" if "prefill" in figure.doubt else "prefill"
            made.append(_Sample(figure, kind, tokens, tokens / figure.prefill_tokens_per_s, _prefill_terms(figure)))
    return made


def _decode_kind(figure: PublishedFigure) -> str:
    if figure.stock:
        return "stock"
    if figure.sparks > 1:
        return "two-sparks"
    return "eager" if figure.eager else "decode"


def _decode_terms(figure: PublishedFigure) -> Terms:
    start = figure.decode_context_tokens
    if start is None:
        start = figure.input_tokens or ASSUMED_CONTEXT
    context = start + (figure.output_tokens or 0) / 2
    model = architecture(figure.model.lower())
    return _terms(figure, decode_load(figure.batch, context, model.window))


def _prefill_terms(figure: PublishedFigure) -> tuple[Terms, ...]:
    """The chunks of one prompt; a batch takes as many times as long."""
    model = architecture(figure.model.lower())
    prompt = figure.input_tokens or ASSUMED_CONTEXT
    depth = figure.decode_context_tokens or 0  # llama-bench measures both at the same depth
    pieces = []
    for start in range(0, prompt, CHUNK_TOKENS):
        tokens = min(CHUNK_TOKENS, prompt - start)
        logits = 1 if start + tokens == prompt else 0
        pieces.append(_terms(figure, piece_load(model, depth + start, tokens, logits=logits)))
    return tuple(pieces) * figure.batch


def _terms(figure: PublishedFigure, load: Load) -> Terms:
    model = architecture(figure.model.lower())
    layout = make_layout(model, figure.precision, figure.engine)
    return step_terms(model, layout, published_devices()["gb10"], load, parallel=figure.sparks)


def _seconds(sample: _Sample, parameters: Parameters) -> float:
    sequences = sample.figure.batch
    return sum(
        parameters.seconds(terms, sequences=sequences, eager=sample.figure.eager, link_s=parameters.reduce_s)
        for terms in sample.terms
    )


def _rate(sample: _Sample, parameters: Parameters) -> float:
    return sample.tokens / _seconds(sample, parameters)


def _fit(samples: Sequence[_Sample]) -> Parameters:
    decode = [sample for sample in samples if sample.kind == "decode"]
    memory, layer_s = least_squares(
        [(sample.terms[0].memory_s, sample.terms[0].layers) for sample in decode], [s.seconds for s in decode]
    )
    start = Parameters(memory, 0.0, 0.0, layer_s, 0.0, 0.0)
    prefill = [sample for sample in samples if sample.kind == "prefill"]
    dense, experts = least_squares(
        [(sum(t.dense_s + t.attention_s for t in s.terms), sum(t.expert_s for t in s.terms)) for s in prefill],
        [s.seconds - layer_s * sum(t.layers for t in s.terms) for s in prefill],
    )
    eager = [sample for sample in samples if sample.kind == "eager"]
    (eager_layer_s,) = least_squares(
        [(s.terms[0].layers,) for s in eager],
        [s.seconds - memory * s.terms[0].memory_s for s in eager],
        [s.seconds for s in eager],
    )
    pairs = [sample for sample in samples if sample.kind == "two-sparks"]
    (reduce_s,) = least_squares(
        [(s.terms[0].reduces,) for s in pairs],
        [s.seconds - _seconds(s, start) for s in pairs],
        [s.seconds for s in pairs],
    )
    return replace(start, dense=dense, experts=experts, eager_layer_s=eager_layer_s, reduce_s=reduce_s)


def least_squares(
    columns: Sequence[Sequence[float]], target: Sequence[float], scale: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Coefficients, none below 0, of least squared error relative to `scale` (the target itself if None).

    With so few columns every set of active ones is simply tried (Lawson and Hanson 1974).
    """
    weights = 1 / np.array(target if scale is None else scale, dtype=float)
    design, wanted = np.array(columns, dtype=float) * weights[:, None], np.array(target, dtype=float) * weights
    size = design.shape[1]
    best, best_error = np.zeros(size), float((wanted**2).sum())
    for count in range(1, size + 1):
        for active in itertools.combinations(range(size), count):
            solution = np.linalg.lstsq(design[:, active], wanted, rcond=None)[0]
            error = float(((design[:, active] @ solution - wanted) ** 2).sum())
            if (solution >= 0).all() and error < best_error:
                best, best_error = np.zeros(size), error
                best[list(active)] = solution
    return tuple(float(value) for value in best)


def _factor(rows: Sequence[Row], kind: str, coverage: float) -> float:
    """The factor within which that share of the left-out figures lies: an order statistic, rounded outwards."""
    misses = sorted(
        abs(math.log(row.published_per_s / row.left_out_per_s))
        for row in rows
        if row.kind == kind and row.left_out_per_s
    )
    rank = min(len(misses), math.ceil(coverage * (len(misses) + 1)))
    return math.exp(misses[rank - 1])
