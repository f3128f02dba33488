"""What runs say: which engine for which need.

Only like is compared with like: the same model, machine, prompt and answer lengths, and load. Runs that were marked
invalid are shown and never win. A win is called only where it is shown: by the interval of the repeats' ratio where
there are at least three repeats of both, else by a margin of five percent.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from helpers.bench.groups import Group, variant_name
from helpers.bench.metrics import Metrics
from helpers.bench.run import Run
from helpers.bench.statistics import FEWEST_SAMPLES, Interval, ratio

SHOWN_MARGIN = 0.05
"""Without intervals, a smaller difference than this is not called one."""


@dataclass(frozen=True, slots=True)
class Need:
    """A question a user has, and the figure that answers it.

    Attributes:
        sentence: the answer in words, with {winner} and {value}.
        figure: gives the figure from a run's metrics; None where it has none.
        unit: "s" or "tokens/s".
        lower_is_better: as for times.
        at: "one" stream, one stream with the "longest" prompt, or the "best" load.
    """

    question: str
    sentence: str
    quantity: str
    figure: Callable[[Metrics], float | None]
    unit: str
    lower_is_better: bool
    at: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a need from own numbers.

    Attributes:
        winner: its name, or all names that could not be told apart.
        value: the winner's figure in the need's unit; runner_up and its value likewise, empty if there was one only.
        shown: False if the difference to the runner-up was not shown.
        because: the evidence in words.
        condition: the load under which it holds.
        origin: measured, recorded, or both.
    """

    need: Need
    winner: str
    value: float
    runner_up: str
    runner_up_value: float | None
    shown: bool
    because: str
    condition: str
    origin: str


def prefill_rate(metrics: Metrics) -> float | None:
    """Prompt tokens of a request / TTFT p50: the prefill rate as a user sees it, queues included; one stream only."""
    answered = metrics.requests - metrics.errors
    if metrics.input_tokens is None or metrics.ttft_s is None or not answered or not metrics.ttft_s.p50:
        return None
    return metrics.input_tokens / answered / metrics.ttft_s.p50


def _ttft_p50(metrics: Metrics) -> float | None:
    return metrics.ttft_s.p50 if metrics.ttft_s else None


def token_time_s(metrics: Metrics) -> float | None:
    """TPOT p50; None where it was not seen: a client that read most answers in one piece saw no time between tokens."""
    return metrics.tpot_s.p50 or None if metrics.tpot_s else None


def _output_rate(metrics: Metrics) -> float | None:
    return metrics.output_tokens_per_s


FIGURES = {"Output tokens/s": _output_rate, "TTFT p50": _ttft_p50, "TPOT p50": token_time_s}
"""What comparisons show: name -> the figure of a run's metrics."""

NEEDS = (
    Need(
        "One user, first word soonest",
        "One user sees the first word soonest from {winner}: after {value}",
        "TTFT p50",
        _ttft_p50,
        "s",
        True,
        "one",
    ),
    Need(
        "One user, fastest text",
        "One user gets the fastest text from {winner}: {value} a token",
        "TPOT p50",
        token_time_s,
        "s",
        True,
        "one",
    ),
    Need(
        "Long prompts",
        "Long prompts are read fastest by {winner}: {value}",
        "Prompt tokens / TTFT p50",
        prefill_rate,
        "tokens/s",
        False,
        "longest",
    ),
    Need(
        "Many users, most text",
        "Many users get the most text from {winner}: {value}",
        "Output rate",
        _output_rate,
        "tokens/s",
        False,
        "best",
    ),
)


def answer_needs(group: Group) -> list[Answer]:
    """What the group's valid closed-loop runs say to each need; needs without a figure are left out."""
    answers = []
    for need in NEEDS:
        candidates = comparable(group, need)
        known = {name: run for name, run in candidates.items() if need.figure(run.metrics) is not None}
        if known:
            answers.append(_answer(need, known, group.runs))
    return answers


def paired_ratio(baseline: Run, candidate: Run, figure: Callable[[Metrics], float | None]) -> Interval | None:
    """Candidate / baseline over the repeats; None with fewer than three repeats of both or a figure missing."""
    left = [figure(metrics) for metrics in baseline.repeat_metrics]
    right = [figure(metrics) for metrics in candidate.repeat_metrics]
    pairs = [(a, b) for a, b in zip(left, right, strict=False) if a and b]
    if len(left) != len(right) or len(pairs) < len(left) or len(pairs) < FEWEST_SAMPLES:
        return None
    return ratio([a for a, _ in pairs], [b for _, b in pairs])


def comparable(group: Group, need: Need) -> dict[str, Run]:
    """The run of each variant under the condition that most variants share: variant name -> run.

    Of several runs under one condition the last counts; for a need at the best load, the best.
    """
    conditions: dict[tuple[int, int], dict[str, Run]] = {}
    for run in group.runs:
        if not run.valid or run.concurrency is None:
            continue
        lengths = _lengths(run)
        if need.at != "best":
            if run.concurrency == 1:
                conditions.setdefault(lengths, {})[variant_name(run)] = run
            continue
        best = conditions.setdefault(lengths, {})
        rate, name = need.figure(run.metrics) or 0.0, variant_name(run)
        if name not in best or rate > (need.figure(best[name].metrics) or 0.0):
            best[name] = run
    if not conditions:
        return {}
    points = Counter(_lengths(run) for run in group.runs)

    def preference(lengths: tuple[int, int]) -> tuple[int, int]:
        # Where the length is not the question, that of the load sweep: the one with the most points.
        return len(conditions[lengths]), lengths[0] if need.at == "longest" else points[lengths]

    return conditions[max(conditions, key=preference)]


def _lengths(run: Run) -> tuple[int, int]:
    return sum(run.workload.input_tokens), sum(run.workload.output_tokens)


def interleaved(one: Run, other: Run, runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """The same two variants under the same loads where they took turns, in one bundle; None if they never did.

    Repeats of different bundles are no pairs: what the machine did meanwhile would look like the engines' difference.

    Args:
        runs: where to look, if these two were not measured together.
    """
    pairs = [(one, other)]
    pairs += [(a, b) for a in runs if _same_load(a, one) for b in runs if _same_load(b, other)]
    return next(((a, b) for a, b in pairs if a.provenance.get("date") == b.provenance.get("date")), None)


def _same_load(run: Run, like: Run) -> bool:
    same = variant_name(run) == variant_name(like) and _lengths(run) == _lengths(like)
    return run.valid and same and run.concurrency == like.concurrency


def _answer(need: Need, runs: dict[str, Run], all_runs: Sequence[Run]) -> Answer:
    values = {name: need.figure(run.metrics) or 0.0 for name, run in runs.items()}
    order = sorted(values, key=lambda name: values[name] if need.lower_is_better else -values[name])
    best = order[0]
    condition = _condition(runs[best], need)
    origin = " and ".join(sorted({run.origin for run in runs.values()}))
    if len(order) == 1:
        because = "the only one measured under this load"
        return Answer(need, best, values[best], "", None, True, because, condition, origin)
    second = order[1]
    faster, slower = sorted((values[best], values[second]), reverse=True)
    together = interleaved(runs[second], runs[best], all_runs)
    interval = paired_ratio(*together, need.figure) if together is not None else None
    if interval is not None:
        # Where they took turns it may have been the other way round.
        agrees = (interval.estimate < 1) == need.lower_is_better
        shown = agrees and not interval.contains(1.0)
        because = (
            f"ratio {interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}] over {interval.samples} repeats"
        )
        if interval.caveat:
            because += f" ({interval.caveat})"
    else:
        shown = faster / slower > 1 + SHOWN_MARGIN if slower else True
        because = f"{faster / slower:.2f} times {second}, no interval" if slower else "no interval"
    winner = best if shown else f"{best} or {second}"
    because = because if shown else f"no difference shown: {because}"
    return Answer(need, winner, values[best], second, values[second], shown, because, condition, origin)


def _condition(run: Run, need: Need) -> str:
    lengths = run.workload.input_tokens
    prompt = f"{lengths[0]}" if len(set(lengths)) == 1 else "mixed" if lengths else "given"
    answer = "/".join(str(length) for length in sorted(set(run.workload.output_tokens)))
    load = f"{run.concurrency} stream{'s' if run.concurrency != 1 else ''}"
    return f"{prompt} tokens in, {answer} out, {load}" + (" (its best load)" if need.at == "best" else "")
