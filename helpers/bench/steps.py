"""From runs to steps: what a decode step and a prefill took, beside what they cost by the model's shape."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from helpers.bench.cause import StepPoint
from helpers.bench.groups import variant_name
from helpers.bench.roofline import ModelShape, decode_step, prefill_step
from helpers.bench.run import Run
from helpers.errors import MissingError
from helpers.models import hub
from helpers.models.catalogue import resolve
from helpers.models.prefetch import hub_folder


def model_shape(model: str) -> ModelShape:
    """The shape of a model by its catalogue id or directory, from its config.json.

    Raises:
        UsageError: unknown model, or one whose layers are not of the Llama family.
        MissingError: its config.json is not there or damaged (a .gguf file has none; a model of the hub has one once
            it is downloaded).
    """
    known = hub.models().get(model)
    path = resolve(model).directory / "config.json" if known is None else _downloaded_config(known)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingError(f"{path} cannot be read", str(error), "name the model's Hugging Face directory") from error
    return ModelShape.from_config(config)


def _downloaded_config(model: hub.HubModel) -> Path:
    for repository in model.repositories.values():
        found = sorted(hub_folder().glob(f"models--{repository.replace('/', '--')}/snapshots/*/config.json"))
        if found:
            return found[-1]
    raise MissingError(f"{model.id} is not downloaded", "its shape stands in its config.json", "./course prefetch")


def decode_points(runs: Sequence[Run], shape: ModelShape, *, slots: int | None = None) -> list[StepPoint]:
    """One point a valid closed-loop run: the median gap between chunks is the engine's step with that batch.

    The median, because gaps in which another request was prefilled are longer and not decode steps. The context is
    the prompt and half the answer. Not for speculation, where a step emits several tokens.

    Args:
        slots: sequences the engine computes at once; more streams than that do not make a larger batch.
    """
    points = []
    for run in runs:
        lengths = run.workload.input_tokens
        if not run.valid or run.concurrency is None or run.metrics.itl_s is None or not lengths:
            continue
        batch = min(run.concurrency, slots or run.concurrency)
        context = fmean(lengths) + fmean(run.workload.output_tokens) / 2
        cost = decode_step(shape, run.target.precision, batch=batch, context_tokens=context)
        label = f"{variant_name(run)}, batch {batch}, {context:.0f} tokens"
        points.append(StepPoint(label, cost, run.metrics.itl_s.p50))
    return points


def prefill_points(runs: Sequence[Run], shape: ModelShape, *, chunk_tokens: int = 512) -> list[StepPoint]:
    """One point a valid run with a single stream and prompts of one length: its median TTFT is the prefill."""
    points = []
    for run in runs:
        lengths = set(run.workload.input_tokens)
        if not run.valid or run.concurrency != 1 or run.metrics.ttft_s is None or len(lengths) != 1:
            continue
        prompt_tokens = run.workload.input_tokens[0]
        cost = prefill_step(shape, run.target.precision, prompt_tokens=prompt_tokens, chunk_tokens=chunk_tokens)
        points.append(StepPoint(f"{variant_name(run)}, prefill {prompt_tokens}", cost, run.metrics.ttft_s.p50))
    return points
