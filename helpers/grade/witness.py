"""What contradicts the evidence of a run: held against the grader's own ledger of engines, and against itself.

A notebook's bundles claim tokens at URLs; the grader owns the engines there, and each engine counted. A handed-in
bundle was measured elsewhere: it must fit its own summary, the counters of the server it names, and the limits of the
hardware it names. Each function returns a line, empty if nothing contradicts.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.bench.bundle import SUMMARY, Bundle
from helpers.bench.published import device
from helpers.bench.roofline import decode_step
from helpers.bench.run import Run
from helpers.bench.steps import model_shape
from helpers.engines import registry
from helpers.errors import CourseError
from helpers.models.llama import load_llama

EXACT = 1e-6
"""Relative; summaries are written from the same records by the same formulas."""

SLACK_S = 1.0
ROOFLINE_SLACK = 1.15
"""Published bandwidths are rounded, and counted parameters leave out norms."""

MOST_BUNDLES = 40
SAMPLED_ANSWERS = 4
NEAR_TIE = 2e-2
"""Difference of logits within which two float32 computations may choose different tokens: they sum in other orders."""

FEWEST_CHUNKS = 4
"""Gaps of shorter answers are too few to name a record."""

OWN_SERVERS = ("12.5.load",)
"""Milestones about servers of the notebook's own, which are played again (`helpers.grade.replays`)."""

ENGINE_OF = {"12.6.ollama": "ollama"}
"""Milestones whose evidence names no bundle of the engine that it is about."""

FIGURES = ("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "requests", "errors", "peak_in_flight")


def named_bundles(value: Any) -> Iterator[str]:
    """Every name that evidence gives under `bundle` or `bundles`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "bundle" and isinstance(inner, str):
                yield inner
            elif key == "bundles" and isinstance(inner, list):
                yield from (name for name in inner if isinstance(name, str))
            else:
                yield from named_bundles(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named_bundles(inner)


def name_problem(names: Sequence[str]) -> str:
    """A bundle lies in the run folder, by its plain name."""
    if len(names) > MOST_BUNDLES:
        return f"the evidence names {len(names)} bundles"
    outside = next((name for name in names if Path(name).name != name or name in ("", ".", "..")), None)
    return "" if outside is None else f"the evidence names a bundle outside its folder: {outside[:80]!r}"


def engine_problem(bundles: Mapping[str, Bundle], engines: Sequence[Mapping[str, Any]]) -> str:
    """Tokens and time that the runs claim at the grader's engines, and what those counted.

    Args:
        bundles: those that the evidence names.
        engines: `EngineUse` of each engine that the grader started, as dictionaries.
    """
    counted: dict[str, float] = {}
    alive_s: dict[str, float] = {}
    for engine in engines:
        counters = engine["counters"]
        total = counters.get("output_tokens_total", float("inf"))
        counted[engine["url"]] = counted.get(engine["url"], 0.0) + total
        alive_s[engine["url"]] = alive_s.get(engine["url"], 0.0) + engine["seconds"]
    names = {(engine["url"], engine["engine"], engine["model"]) for engine in engines}
    claimed: dict[str, int] = {}
    lasted_s: dict[str, float] = {}
    for folder, bundle in bundles.items():
        for run in bundle.runs:
            target = run.target
            if target.engine not in registry.names():
                continue  # a mock server, or a server of the learner's own: no figure of an engine
            if (target.url, target.engine, target.model) not in names:
                return f"{folder}: {run.label} claims {target.engine} with {target.model}, which was never started"
            claimed[target.url] = claimed.get(target.url, 0) + _output_tokens(run)
            lasted_s[target.url] = lasted_s.get(target.url, 0.0) + (run.metrics.duration_s or 0.0)
    for url, tokens in claimed.items():
        if tokens > counted[url]:
            return f"the runs claim {tokens:,} output tokens of an engine that counted {counted[url]:,.0f}"
        if lasted_s[url] > alive_s[url] + SLACK_S:
            return f"the runs claim {lasted_s[url]:.1f} s at an engine that ran for {alive_s[url]:.1f} s"
    return ""


def unseen_problem(milestone_id: str, bundles: Mapping[str, Bundle], engines: Sequence[Mapping[str, Any]]) -> str:
    """Evidence of a run here that tells of an engine which is none of the grader's."""
    if milestone_id in OWN_SERVERS:
        return ""
    for folder, bundle in bundles.items():
        for run in bundle.runs:
            if run.target.engine not in registry.names():
                return f"{folder}: {run.label} is of {run.target.engine[:40]!r}, which is no engine of the grader's"
    needed = ENGINE_OF.get(milestone_id, "")
    if needed and all(engine["engine"] != needed for engine in engines):
        return f"it tells of {needed}, which was never started"
    return ""


def races_problem(data: Mapping[str, Any]) -> str:
    """Answers of a race must be what the course model says: a sample is computed again, token by token."""
    model = load_llama("course")
    jobs = {job["name"]: job["prompt"] for job in data["jobs"]}
    sample = sorted(jobs, key=lambda name: hashlib.sha256(name.encode()).digest())[:SAMPLED_ANSWERS]
    answers = data["races"][0]["continuous"]["answers"]
    for name in sample:
        prompt, ids = [int(one) for one in jobs[name]], [int(one) for one in _ids(answers, name)]
        logits = model.forward([*prompt, *ids[:-1]], model.new_cache())[len(prompt) - 1 :]
        chosen = logits[np.arange(len(ids)), ids]
        if np.any(logits.max(axis=1) - chosen > NEAR_TIE):
            return f"the answer to {name} is not what the course model says"
    return ""


def bundle_problem(folder: Path, bundle: Bundle) -> str:
    """A handed-in bundle against itself: its summary, its server's counters, its clock, its hardware."""
    if bundle.damaged_lines:
        return f"{bundle.damaged_lines} lines of its records cannot be read"
    points = json.loads((folder / SUMMARY).read_bytes())["points"]
    for told, run in zip(points, bundle.runs, strict=True):
        found = json.loads(json.dumps(run.point()))
        for figure in FIGURES:
            if not _close(told.get(figure), found[figure]):
                return f"{run.label}: the summary's {figure} is not what the records give"
        problem = _clock_problem(run) or _counter_problem(run) or _roofline_problem(run)
        if problem:
            return f"{run.label}: {problem}"
    return ""


def fingerprints(bundles: Mapping[str, Bundle]) -> list[str]:
    """A short name for the times of each answer: two measurements never agree in microseconds."""
    found = []
    for bundle in bundles.values():
        for run in bundle.runs:
            for record in (record for repeat in run.repeats for record in repeat):
                if len(record.chunk_s) >= FEWEST_CHUNKS:
                    gaps = ",".join(f"{b - a:.6f}" for a, b in itertools.pairwise(record.chunk_s))
                    found.append(hashlib.sha256(gaps.encode()).hexdigest()[:16])
    return sorted(set(found))


def _ids(answers: Any, name: str) -> Sequence[int]:
    answer = answers[name]
    ids: Sequence[int] = answer["ids"] if isinstance(answer, Mapping) else answer
    return ids


def _output_tokens(run: Run) -> int:
    return sum(record.usage.output_tokens or 0 for repeat in run.repeats for record in repeat)


def _close(told: Any, found: Any) -> bool:
    if isinstance(told, Mapping) and isinstance(found, Mapping):
        return set(told) == set(found) and all(_close(told[key], found[key]) for key in told)
    if isinstance(told, int | float) and isinstance(found, int | float):
        return abs(told - found) <= EXACT * max(abs(told), abs(found))
    return bool(told == found)


def _clock_problem(run: Run) -> str:
    for repeat in run.repeats:
        for record in repeat:
            times = [record.sent_s, *record.chunk_s, record.done_s]
            known = [time_s for time_s in times if time_s is not None]
            if any(later < earlier for earlier, later in itertools.pairwise(known)):
                return f"in {record.request_id} something arrived before it was sent"
    return ""


def _counter_problem(run: Run) -> str:
    if run.target.engine not in registry.names() or run.target.engine == "ollama":
        return ""  # Ollama counts nothing
    before, after = (run.counters.get(name, {}) for name in ("before", "after"))
    name = "output_tokens_total"
    if name not in before or name not in after:
        return f"it has no counters of the {run.target.engine} that it names"
    counted, claimed = after[name] - before[name], _output_tokens(run)
    return "" if counted >= claimed else f"{claimed:,} output tokens in the records, {counted:,.0f} by the server"


def _roofline_problem(run: Run) -> str:
    """Plain decoding of one stream reads all weights for each token; no machine does that faster than its memory."""
    gpus = run.provenance.get("hardware", {}).get("gpus") or []
    tpot = run.metrics.tpot_s
    speculates = any(record.usage.draft_tokens for repeat in run.repeats for record in repeat)
    drafts = run.counters.get("after", {}).get("drafts_total", 0.0)
    if run.concurrency != 1 or tpot is None or not tpot.p50 or not gpus or speculates or drafts:
        return ""
    name = next((known for known in ("gb10", "h100", "h200") if known in str(gpus[0].get("name", "")).lower()), "")
    try:
        machine = device(name)
        cost = decode_step(model_shape(run.target.model), run.target.precision or "fp4", batch=1, context_tokens=0)
    except (CourseError, KeyError):
        return ""  # a machine or a model without published figures: nothing to hold it against
    most = ROOFLINE_SLACK * machine.bandwidth_bytes_per_s * len(gpus) / cost.bytes
    rate = 1 / tpot.p50
    return "" if rate <= most else f"{rate:,.0f} tokens/s from a memory that allows {most:,.0f} on {machine.name}"
