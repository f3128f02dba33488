"""Training of the target and the draft: stages, checkpoints, resume.

A run is a list of stages; each step's batch depends on the seed and the step, and the state is saved every few minutes,
so a run that was stopped goes on where it was.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from helpers.models.training.batches import KIND_NAMES, make_batch
from helpers.models.training.corpus.mixture import WEIGHTS
from helpers.models.training.muon import Muon
from helpers.models.training.network import Network, Shape, export, list_matrices

_MATRIX_RATE = 0.015
_EMBEDDING_RATE = 0.02
_NORM_RATE = 2e-3
_AVERAGE_KEEP = 0.997
_CHECKPOINT_EVERY_S = 150.0
_LOG_EVERY = 25


@dataclass(frozen=True)
class Stage:
    """A part of a run with one length of rows.

    Attributes:
        steps: optimizer steps.
        rows, length: the size of a batch.
        distance_words: how far back facts to recall may stand, about.
        first_rate, last_rate: learning rate at both ends, as a share of the full one; linear between.
        weights: chats of some kinds, in place of the mixture's weights.
        cut_share: of the glossary answers that end after their first words. The rest of a sentence is soon known; which
            sentence it is takes most of the learning, and is decided there.
    """

    steps: int
    rows: int
    length: int
    distance_words: int
    first_rate: float
    last_rate: float
    weights: Mapping[str, float] = field(default_factory=dict)
    cut_share: float = 0.0


@dataclass(frozen=True)
class Run:
    """What to train.

    Attributes:
        name: of the checkpoint and log files.
        shape: of the network.
        stages: one after the other.
        seed: of weights and batches.
        directory: for checkpoint, log and export.
    """

    name: str
    shape: Shape
    stages: tuple[Stage, ...]
    seed: int
    directory: Path


Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From logits [positions, vocabulary], inputs, positions and targets (as in `Batch`) to the loss at each position."""


def cross_entropy(logits: Tensor, inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """The loss of foreseeing the targets, [positions]."""
    del inputs, positions
    return functional.cross_entropy(logits.float(), targets, reduction="none")


def train(run: Run, tokenizer: Any, loss: Loss = cross_entropy, compile_network: bool = True) -> dict[str, Tensor]:
    """Trains, or goes on training, and returns the final weights.

    Args:
        run: what to train.
        tokenizer: of the `tokenizers` package.
        loss: what is to become small.
        compile_network: whether to use torch.compile (needs a C++ compiler, 1.2 to 1.3 times as fast).
    """
    network = Network(run.shape, run.seed)
    norms = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    muon = Muon(list_matrices(network))
    groups = [{"params": [network.embedding], "full_rate": _EMBEDDING_RATE}, {"params": norms, "full_rate": _NORM_RATE}]
    adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    step, tokens, seconds = 0, 0, 0.0
    path = run.directory / f"{run.name}.pt"
    run.directory.mkdir(parents=True, exist_ok=True)
    if path.exists():
        state = torch.load(path)
        network.load_state_dict(state["network"])
        adam.load_state_dict(state["adam"])
        muon.buffers = state["muon"]
        average = state["average"]
        step, tokens, seconds = state["step"], state["tokens"], state["seconds"]

    def forward(inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(inputs, positions)
        return loss(logits, inputs, positions, targets)

    compute = torch.compile(forward, dynamic=False) if compile_network else forward
    sums, counts = torch.zeros(len(KIND_NAMES) + 1), torch.zeros(len(KIND_NAMES) + 1)
    saved_at = last = time.monotonic()
    total = sum(stage.steps for stage in run.stages)
    while step < total:
        stage, done = _find_stage(run.stages, step)
        weights = {**WEIGHTS, **stage.weights}
        sizes = stage.rows, stage.length, stage.distance_words
        batch = make_batch(tokenizer, run.seed, step, *sizes, weights, stage.cut_share)
        inputs, kinds = torch.from_numpy(batch.inputs), torch.from_numpy(batch.kinds)
        losses = compute(inputs, torch.from_numpy(batch.positions), torch.from_numpy(batch.targets))
        learnt = kinds > 0
        (losses * learnt).sum().div(learnt.sum()).backward()
        rate = stage.first_rate + (stage.last_rate - stage.first_rate) * done / stage.steps
        rate *= min(1.0, (step + 1) / 40)
        for group in adam.param_groups:
            group["lr"] = group["full_rate"] * rate
        adam.step()
        adam.zero_grad(set_to_none=True)
        muon.step(_MATRIX_RATE * rate)
        step += 1
        tokens += inputs.numel()
        with torch.no_grad():
            keep = min(_AVERAGE_KEEP, step / (step + 10))
            state_now = network.state_dict()
            for name, value in average.items():
                value.lerp_(state_now[name], 1 - keep)
            sums.index_add_(0, kinds, losses.detach().float())
            counts.index_add_(0, kinds, torch.ones_like(losses, dtype=torch.float32))
        now = time.monotonic()
        seconds, last = seconds + now - last, now
        if step % _LOG_EVERY == 0:
            _log(run, step, tokens, seconds, rate, sums, counts)
            sums.zero_(), counts.zero_()
        if now - saved_at > _CHECKPOINT_EVERY_S or step == total:
            saved_at = now
            _save(path, network, adam, muon, average, step, tokens, seconds)
    return {name: value.detach() for name, value in network.state_dict().items()}


def export_checkpoint(path: Path, shape: Shape, directory: Path, averaged: bool) -> dict[str, float]:
    """Exports a checkpoint's weights (the running average of them, or the last ones); returns its facts."""
    state = torch.load(path)
    export(state["average" if averaged else "network"], shape, directory)
    return {"steps": state["step"], "tokens": state["tokens"], "seconds": round(state["seconds"])}


def _find_stage(stages: tuple[Stage, ...], step: int) -> tuple[Stage, int]:
    for stage in stages:
        if step < stage.steps:
            return stage, step
        step -= stage.steps
    raise ValueError("the run is over")


def _save(
    path: Path,
    network: Network,
    adam: torch.optim.AdamW,
    muon: Muon,
    average: dict[str, Tensor],
    step: int,
    tokens: int,
    seconds: float,
) -> None:
    state = {
        "network": network.state_dict(),
        "adam": adam.state_dict(),
        "muon": muon.buffers,
        "average": average,
        "step": step,
        "tokens": tokens,
        "seconds": seconds,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _log(run: Run, step: int, tokens: int, seconds: float, rate: float, sums: Tensor, counts: Tensor) -> None:
    means = (sums / counts.clamp(min=1)).tolist()
    entry = {
        "step": step,
        "tokens": tokens,
        "seconds": round(seconds, 1),
        "rate": round(rate, 4),
        "loss": round(float(sums[1:].sum() / counts[1:].sum()), 4),
        **{name: round(mean, 4) for name, mean in zip(KIND_NAMES, means[1:], strict=True)},
    }
    with (run.directory / f"{run.name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
