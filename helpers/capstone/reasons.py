"""Why a deployment lost points: each reason begins with its cause and rests on figures of the judgement.

The rules look at what was decided and at what was seen: an effect without the decision, or a decision without the
effect, is no reason.
"""

from collections.abc import Callable

from helpers.bench.speculated import counted_acceptance
from helpers.capstone.judgement import Judgement

CROWD = 4
"""Requests in flight from which on speculation competes with the other requests for the processor."""

SMALL_BUDGET = 64
"""Tokens of a step below which a prompt of some hundred tokens takes many steps."""

LOW_REUSE = 0.7
"""Share of the prompt tokens that could be reused, below which reuse is called low."""

WASTED_CONTEXT = 3.0
"""Reserved places by those that a request can fill, from which on the context is called too large."""

RESERVING = ("llama.cpp", "nano", "ollama")
"""Engines that take the memory of every sequence at full length when they start."""

OFF_BY = 1.5
"""A prediction that is off by more is named."""

DRIFT = 1.5
"""Change of the machine's speed during the load from which on the judgement should be repeated."""

GOOD_SCORE = 0.97
"""Share of the points for goodput above which nothing needs a cause."""


def find_reasons(judgement: Judgement) -> list[str]:
    """One line each, deaths and quality first; a line that says so if nothing was lost."""
    lines = [f"died: {ending}" for ending in judgement.endings]
    lines += [line for rule in (_quality, _objective) if (line := rule(judgement))]
    lost = judgement.goodput_per_s < GOOD_SCORE * judgement.brief.target_per_s or not judgement.slo_met
    if lost:
        lines += [line for rule in CAUSES if (line := rule(judgement))]
    lines += [line for rule in (_context, _idle, _cost, _prediction, _drift) if (line := rule(judgement))]
    return lines or ["nothing was lost: the objective is kept, within the budget, as predicted"]


def _quality(judgement: Judgement) -> str:
    floor = judgement.brief.quality_floor
    if judgement.quality is None or judgement.quality >= floor:
        return ""
    return (
        f"quality: {judgement.quality:.0%} of the fixed tasks are right and {floor:.0%} are asked: "
        f"{judgement.deployment.model} {judgement.deployment.quantization} does not do the work, so there are no points"
    ).replace("  ", " ")


def _objective(judgement: Judgement) -> str:
    if judgement.slo_met:
        return ""
    failed = judgement.metrics.errors + judgement.offered - judgement.metrics.requests
    words = [f"{judgement.good} of {judgement.offered} requests kept the bounds, {judgement.brief.share:.0%} must"]
    words += [f"{failed} failed or were never answered"] if failed else []
    pace = judgement.pace.factor
    for name, bound, seen in (
        ("TTFT", judgement.brief.objective.ttft_s, judgement.metrics.ttft_s),
        ("TPOT", judgement.brief.objective.tpot_s, judgement.metrics.tpot_s),
    ):
        if bound is not None and seen is not None and seen.p90 / pace > bound:
            words.append(f"{name} p90 was {_seconds(seen.p90 / pace)}, the bound is {_seconds(bound)}")
    deadline_s = judgement.brief.deadline(judgement.quick)
    if deadline_s is not None and judgement.duration_s > deadline_s:
        words.append(f"it took {judgement.duration_s:.0f} s, the deadline is {deadline_s:g} s")
    return "objective missed: " + "; ".join(words)


def _slots(judgement: Judgement) -> str:
    slots = judgement.max_num_seqs * judgement.deployment.replicas
    peak = judgement.metrics.peak_in_flight
    if peak < 2 * slots:
        return ""
    places = f"{slots} sequence{'s' if slots > 1 else ''}"
    return f"too few slots: up to {peak} requests were there and {places} can be computed at once: the rest waited"


def _prefix(judgement: Judgement) -> str:
    could = judgement.brief.load.shareable
    reused = _reused(judgement)
    # A simulated run is told what is reused.
    if could == 0 or reused is None or reused >= LOW_REUSE * could or judgement.origin == "simulated":
        return ""
    seen = f"{reused:.0%} of the prompt tokens came from the cache, {could:.0%} could have"
    if not judgement.deployment.prefix_caching:
        return f"prefix caching is off: {seen}: every shared beginning was computed again"
    slots = judgement.max_num_seqs * judgement.deployment.replicas
    preambles = judgement.brief.load.preambles
    if judgement.deployment.engine == "llama.cpp" and slots < preambles:
        return (
            f"prefix caching has too few slots: {seen}: llama.cpp keeps one beginning for each of its {slots} slots, "
            f"and there are {preambles}"
        )
    if judgement.deployment.engine == "llama.cpp" and judgement.brief.load.per_preamble and slots > 1:
        return (
            f"prefix caching shares nothing side by side: {seen}: the requests on one document run in {slots} slots, "
            "and llama.cpp gives a slot only what was computed in that slot before"
        )
    return (
        f"prefix caching finds little: {seen}: a beginning must be whole in the cache before the next request needs it"
    )


def _budget(judgement: Judgement) -> str:
    budget = judgement.deployment.max_num_batched_tokens
    if budget is None or budget >= SMALL_BUDGET:
        return ""
    prompt = judgement.brief.load.preamble_tokens + judgement.brief.load.own_tokens
    pieces = f"a prompt of {prompt} tokens takes {-(-prompt // budget)} steps" if prompt else "prompts take many steps"
    return f"tiny token budget: {budget} tokens a step: {pieces}, and each step reads all weights"


def _speculation(judgement: Judgement) -> str:
    deployment = judgement.deployment
    if deployment.speculation == "none" or judgement.run is None:
        return ""
    length, rate = counted_acceptance(judgement.run)
    kept = f"{length:.1f} tokens came out of a pass, {rate:.0%} of the proposals were kept" if length and rate else ""
    peak = judgement.metrics.peak_in_flight
    if peak >= CROWD:
        more = f"; {kept}" if kept else ""
        return (
            f"speculation under concurrency: with {peak} requests at once the processor has no idle time to verify in"
            f"{more}: every rejected token is work that others waited for"
        )
    if length is None:
        return f"speculation proposes nothing: {deployment.speculation} found no draft for this text"
    if rate is not None and rate < 0.5:
        return f"drafts too long: {deployment.draft_tokens or 4} tokens are proposed; {kept}"
    return ""


def _no_speculation(judgement: Judgement) -> str:
    waits = judgement.brief.objective.tpot_s is not None and judgement.brief.load.streams == 1
    if not waits or judgement.deployment.speculation != "none":
        return ""
    return (
        "no speculation: one user, and every token costs a whole pass over the weights while the processor waits for "
        "memory"
    )


def _precision(judgement: Judgement) -> str:
    if judgement.deployment.quantization != "f32" or judgement.deployment.engine == "nano":
        return ""
    return "wide weights: float32 moves twice the bytes of 16 bits and four times those of 8, for the same words"


def _engine_alone(judgement: Judgement) -> str:
    free = judgement.brief.cores - judgement.cores
    closed = judgement.brief.load.rate_per_s is None and (judgement.brief.load.streams or 1) > 1
    if judgement.brief.profile != "laptop" or not closed or free < 1:
        return ""
    return f"idle cores: the deployment computes on {judgement.cores} of {judgement.brief.cores}"


CAUSES: tuple[Callable[[Judgement], str], ...] = (
    _slots,
    _prefix,
    _budget,
    _speculation,
    _no_speculation,
    _precision,
    _engine_alone,
)
"""Rules that explain lost goodput, in the order in which they are printed."""


def _context(judgement: Judgement) -> str:
    load = judgement.brief.load
    longest = load.preamble_tokens + load.own_tokens + load.output_tokens
    reserves = judgement.deployment.engine in RESERVING
    if not reserves or load.texts or judgement.max_model_len < WASTED_CONTEXT * longest:
        return ""
    return (
        f"context too large: {judgement.max_model_len} tokens are reserved for each of {judgement.max_num_seqs} "
        f"sequences, and no request can fill more than about {longest}"
    )


def _idle(judgement: Judgement) -> str:
    replicas, peak = judgement.deployment.replicas, judgement.metrics.peak_in_flight
    if replicas <= peak or judgement.run is None:
        return ""
    return f"idle replicas: {replicas} are paid for, and at most {peak} request was there at a time"


def _cost(judgement: Judgement) -> str:
    eur, budget = judgement.cost.eur_per_1000_good, judgement.brief.budget_eur
    if eur is None or eur <= budget:
        return ""
    return f"cost: {eur:.3g} EUR for 1,000 good requests, the budget is {budget:g}"


def _prediction(judgement: Judgement) -> str:
    if not judgement.predicted:
        return "no prediction: nothing was said beforehand, so there are no points for honesty"
    off = []
    for name, row in judgement.predicted.items():
        if row["measured"] is None or (row["off_by"] is not None and row["off_by"] <= OFF_BY):
            continue
        factor = f"off by a factor of {row['off_by']:.1f}" if row["off_by"] is not None else "one of them is 0"
        off.append(f"{name} {row['predicted']:g} was predicted and {row['measured']:.3g} came out, {factor}")
    return f"prediction: {'; '.join(off)}" if off else ""


def _drift(judgement: Judgement) -> str:
    drift = judgement.pace.drift
    if max(drift, 1 / drift) < DRIFT:
        return ""
    return f"unsteady machine: the yardstick took {drift:.1f} times as long after the load as before it: judge again"


def _reused(judgement: Judgement) -> float | None:
    cached, prompt = judgement.metrics.cached_tokens, judgement.metrics.input_tokens
    return cached / prompt if cached is not None and prompt else None


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.1 else f"{value * 1000:.1f} ms"
