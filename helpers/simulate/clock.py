"""The virtual clock: nano's scheduler decides steps, the cost model says how long each takes.

While running requests only decode, and nobody joins or leaves, the steps differ in nothing but their contexts: they are
taken together, their times by one array operation. The result is that of taking them one by one, to the last bit.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.nano.request import Request
from helpers.nano.step import Step
from helpers.simulate.architectures import Architecture
from helpers.simulate.cost import Layout, Load, Terms, piece_load, step_terms
from helpers.simulate.devices import Device
from helpers.simulate.parameters import Parameters
from helpers.simulate.sinks import Sink
from helpers.simulate.skipping import FAKE_ID, SkippingScheduler
from helpers.simulate.traffic import Traffic

MOST_STEPS = 65_536
"""Taken together at most, so that an endless answer does not become an endless array."""

DRAFT_VOCABULARY = 32_000
"""Of an EAGLE-3 head: one decoder layer, the projection of three states, and this many words (Li et al. 2025)."""


@dataclass(frozen=True, slots=True)
class Stepper:
    """How long a step takes: one model on one system.

    Attributes:
        parallel: devices that share each layer.
        eager: without CUDA graphs.
    """

    architecture: Architecture
    layout: Layout
    device: Device
    parameters: Parameters
    parallel: int = 1
    eager: bool = False

    def step_s(self, step: Step) -> float:
        """Seconds of a step that the scheduler has planned, the making of its proposals included."""
        window = self.architecture.window
        tokens = logits = admitted = drafts = 0
        reads = window_reads = 0
        scores = window_scores = 0.0
        for work in step.work:
            if work.tokens == 1 and work.samples:  # most of them, by far
                context = work.start + 1
                near = min(context, window)
                tokens += 1
                logits += 1
                reads += context
                scores += context
                window_reads += near
                window_scores += near
            else:
                piece = piece_load(self.architecture, work.start, work.tokens, logits=work.logits)
                tokens += work.tokens
                logits += work.logits
                drafts = max(drafts, len(work.draft))
                reads += int(piece.reads)
                scores += piece.scores
                window_reads += int(piece.window_reads)
                window_scores += piece.window_scores
            admitted += work.start == work.cached and work.prefill
        load = Load(len(step.work), tokens, logits, reads, window_reads, scores, window_scores)
        return float(self._seconds(load, admitted)) + drafts * self.draft_s()

    def decode_s(self, contexts: list[int], steps: int) -> NDArray[np.float64]:
        """Seconds of each of so many decode steps; contexts are those of the first step, new token included."""
        count = len(contexts)
        reads = float(sum(contexts)) + count * np.arange(steps, dtype=np.float64)
        near = np.zeros(steps)
        if self.architecture.window_layers:
            window = self.architecture.window
            rising = [context for context in contexts if context < window]
            grown = np.array(rising, dtype=np.float64)[:, None] + np.arange(steps)
            near = np.minimum(grown, window).sum(axis=0) + float(window * (count - len(rising)))
        load = Load(count, count, count, reads, near, reads, near)  # type: ignore[arg-type]
        return np.asarray(self._seconds(load, 0))

    def draft_s(self) -> float:
        """One token of an EAGLE-3 head of this width, in bf16: bytes only, since it is so small."""
        hidden = self.architecture.hidden
        moved = 2.0 * (12 * hidden**2 + 3 * hidden**2 + hidden * DRAFT_VOCABULARY)
        terms = Terms(moved / self.parallel / self.device.bandwidth_bytes_per_s, 0.0, 0.0, 0.0, 1, 0, 0.0)
        return float(self.parameters.seconds(terms, sequences=0, eager=self.eager, link_s=0.0)) - self.parameters.step_s

    def _seconds(self, load: Load, admitted: int) -> float:
        terms = step_terms(self.architecture, self.layout, self.device, load, parallel=self.parallel)
        latency_s = self.device.link.latency_s
        link_s = self.parameters.reduce_s if latency_s is None else latency_s
        return self.parameters.seconds(
            terms, sequences=load.sequences, admitted=admitted, eager=self.eager, link_s=link_s
        )


@dataclass(frozen=True, slots=True)
class Speculation:
    """Proposals of which each holds with this probability, as long as all before it have held."""

    acceptance: float
    draft_tokens: int


def play(
    traffic: Traffic,
    make_request: Callable[[], Request],
    scheduler: SkippingScheduler,
    stepper: Stepper,
    sink: Sink,
    *,
    speculation: Speculation | None = None,
    skipping: bool = True,
    seed: int = 0,
) -> float:
    """Run all of the traffic; the time at which the last answer ended.

    Args:
        make_request: the next request, asked for as it is sent.
        skipping: take identical steps together; the result is the same without.
        seed: of the proposals' luck.

    Raises:
        UsageError: a request that the scheduler refuses.
    """
    draw = random.Random(seed)
    now_s = 0.0
    while True:
        while (next_s := traffic.next_s()) is not None and next_s <= now_s:
            request = make_request()
            sink.sent(request, traffic.take())
            scheduler.add(request)
        if not scheduler.has_work:
            if next_s is None:
                return now_s
            now_s = next_s
            continue
        alike = scheduler.steps_alike() if skipping and speculation is None else 0
        if alike > 1:
            now_s = _skip(traffic, scheduler, stepper, sink, now_s, alike)
        else:
            now_s = _step(traffic, scheduler, stepper, sink, now_s, speculation, draw)


def _skip(
    traffic: Traffic, scheduler: SkippingScheduler, stepper: Stepper, sink: Sink, now_s: float, alike: int
) -> float:
    """Take identical steps together, up to the one during which somebody arrives who could join."""
    steps = min(alike, MOST_STEPS)
    contexts = [request.computed + 1 for request in scheduler.running]
    # Summed in the order of the steps: the same rounding as one by one.
    times_s = np.add.accumulate(np.concatenate(([now_s], stepper.decode_s(contexts, steps))))[1:]
    next_s = traffic.next_s()
    if next_s is not None and scheduler.admits:
        steps = min(steps, int(np.searchsorted(times_s, next_s)) + 1)
        times_s = times_s[:steps]
    sink.tokens(scheduler.running, times_s)
    now_s = float(times_s[-1])
    for request in scheduler.skip(steps):
        sink.ended(request, now_s)
        traffic.ended(now_s)
    return now_s


def _step(
    traffic: Traffic,
    scheduler: SkippingScheduler,
    stepper: Stepper,
    sink: Sink,
    now_s: float,
    speculation: Speculation | None,
    draw: random.Random,
) -> float:
    step = scheduler.schedule()
    now_s += stepper.step_s(step)
    sampled: dict[Request, list[int]] = {}
    for work in step.work:
        if work.samples:
            held = _held(len(work.draft), speculation, draw)
            sampled[work.request] = [FAKE_ID] * (held + 1)
            sink.token(work.request, now_s)
    for request in scheduler.update(step, sampled):
        sink.ended(request, now_s)
        traffic.ended(now_s)
    if speculation is not None:
        for request in scheduler.running:
            if request.remaining == 1:
                scheduler.propose(request, [FAKE_ID] * speculation.draft_tokens)
    return now_s


def _held(proposals: int, speculation: Speculation | None, draw: random.Random) -> int:
    """How many of the proposals hold."""
    held = 0
    while speculation is not None and held < proposals and draw.random() < speculation.acceptance:
        held += 1
    return held
