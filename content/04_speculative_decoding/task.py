"""Task 12.4: what is judged. Exercises with their visible cases; the milestones with their judges."""

from typing import Any

from helpers.bench.bundle import Bundle
from helpers.bench.results import Comparison
from helpers.bench.run import Run
from helpers.bench.speculated import counted_acceptance
from helpers.bench.statistics import ENOUGH_SAMPLES
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError

GREEDY = Exercise(
    id="ex1-verify-greedy",
    title="verify proposals at temperature 0",
    function="verify_greedy",
    hint="best[i] is what the target says after the proposals before place i. What does one pass always yield?",
    cases=(
        Case("all right", {"draft": [5, 7, 9], "best": [5, 7, 9, 2]}, [5, 7, 9, 2], hint="The pass yields one more."),
        Case("second wrong", {"draft": [5, 8, 9], "best": [5, 7, 9, 2]}, [5, 7], hint="What is wanted there?"),
        Case("first wrong", {"draft": [4, 7, 9], "best": [5, 7, 9, 2]}, [5], hint="The pass was not in vain."),
        Case("nothing proposed", {"draft": [], "best": [3]}, [3]),
        Case("right again later", {"draft": [1, 2, 3, 4], "best": [1, 9, 3, 4, 5]}, [1, 9], hint="After which text?"),
        Case("repeats", {"draft": [6, 6, 6], "best": [6, 6, 1, 6]}, [6, 6, 1]),
    ),
)

KEEP = Exercise(
    id="ex2-keep-probability",
    title="how likely a proposal is kept",
    function="keep_probability",
    hint="The draft offered it with q, the target wants it with p. What if it was offered too rarely, and too often?",
    cases=(
        Case("offered too often", {"target": 0.2, "proposal": 0.5}, 0.4),
        Case("offered too rarely", {"target": 0.6, "proposal": 0.3}, 1.0, hint="A probability ends at 1."),
        Case("just right", {"target": 0.25, "proposal": 0.25}, 1.0),
        Case("never wanted", {"target": 0.0, "proposal": 0.7}, 0.0),
        Case("certain proposal", {"target": 0.3, "proposal": 1.0}, 0.3, hint="An n-gram look-up is certain: q is 1."),
    ),
)

RESIDUAL = Exercise(
    id="ex3-residual",
    title="where a rejected proposal is drawn again",
    function="residual",
    hint="Only tokens that the draft offered too rarely have something to make up for.",
    cases=(
        Case("two tokens", {"target": [0.7, 0.3], "proposal": [0.4, 0.6]}, [1.0, 0.0], hint="It is a distribution."),
        Case("three tokens", {"target": [0.5, 0.3, 0.2], "proposal": [0.2, 0.2, 0.6]}, [0.75, 0.25, 0.0]),
        Case("a certain proposal", {"target": [0.6, 0.1, 0.3], "proposal": [0.0, 1.0, 0.0]}, [2 / 3, 0.0, 1 / 3]),
        Case("nothing in common", {"target": [1.0, 0.0], "proposal": [0.0, 1.0]}, [1.0, 0.0]),
    ),
)


def trials(proposal: list[float], parts: int = 10) -> list[list[float]]:
    """Every combination of a proposed token (as often as the draft draws it) and two draws on an even grid."""
    draws = [(part + 0.5) / parts for part in range(parts)]
    tokens = [token for token, share in enumerate(proposal) for _ in range(round(share * parts))]
    return [[token, first, second] for token in tokens for first in draws for second in draws]


def outcomes(target: list[float], proposal: list[float]) -> Case:
    """A test of the distribution: over all trials each token must come out as often as the target would draw it."""
    tried = trials(proposal)
    expected = [round(share * len(tried)) for share in target]
    name = f"target {target}, draft {proposal}"
    hint = "Over all trials each token must come out exactly as often as the target alone would draw it."
    return Case(name, {"trials": tried, "target": target, "proposal": proposal}, expected, hint=hint)


SAMPLED = Exercise(
    id="ex4-verify-sampled",
    title="verify a proposal at temperature 1: a test of the distribution",
    function="outcome_counts",
    hint="Keep it with the probability of exercise 2; if it is rejected, draw from the residual of exercise 3.",
    cases=(
        outcomes([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]),
        outcomes([0.1, 0.2, 0.7], [0.5, 0.5, 0.0]),
        outcomes([0.4, 0.6], [0.4, 0.6]),
        outcomes([0.4, 0.5, 0.1], [0.0, 1.0, 0.0]),
        outcomes([0.3, 0.5, 0.2], [0.2, 0.4, 0.4]),
    ),
)

LENGTH = Exercise(
    id="ex5-expected-length",
    title="tokens that one target pass yields",
    function="expected_length",
    hint="The second proposal counts only if the first was kept. And what comes out when none is?",
    cases=(
        Case("a sure draft", {"rate": 1.0, "draft_tokens": 4}, 5.0, hint="k proposals, and one token of the target."),
        Case("a useless draft", {"rate": 0.0, "draft_tokens": 4}, 1.0),
        Case("half and half", {"rate": 0.5, "draft_tokens": 2}, 1.75),
        Case("one proposal", {"rate": 0.8, "draft_tokens": 1}, 1.8),
        Case("no speculation", {"rate": 0.8, "draft_tokens": 0}, 1.0),
        Case("long", {"rate": 0.9, "draft_tokens": 8}, 6.12579511),
    ),
)

SPEEDUP = Exercise(
    id="ex6-expected-speedup",
    title="what a pass yields against what it costs",
    function="expected_speedup",
    hint="Time of a plain step: 1. Time of a speculative one: k proposals and one verification.",
    cases=(
        Case("free draft", {"length": 3.0, "draft_tokens": 4, "draft_cost": 0.0, "verify_cost": 1.0}, 3.0),
        Case("paid draft", {"length": 3.0, "draft_tokens": 4, "draft_cost": 0.05, "verify_cost": 1.0}, 2.5),
        Case("slow pass", {"length": 3.0, "draft_tokens": 4, "draft_cost": 0.05, "verify_cost": 1.8}, 1.5),
        Case("a loss", {"length": 1.2, "draft_tokens": 5, "draft_cost": 0.2, "verify_cost": 1.0}, 0.6),
        Case("none", {"length": 1.0, "draft_tokens": 0, "draft_cost": 0.3, "verify_cost": 1.0}, 1.0),
    ),
)

NGRAM = Exercise(
    id="ex7-ngram",
    title="propose what followed before",
    function="propose_ngram",
    hint="Look for the last n tokens, earlier in the text; the latest place counts. What stood behind it?",
    cases=(
        Case("seen once", {"ids": [1, 2, 3, 4, 1, 2], "n": 2, "draft_tokens": 2}, [3, 4]),
        Case("never seen", {"ids": [1, 2, 3, 4, 5], "n": 2, "draft_tokens": 3}, []),
        Case("seen twice", {"ids": [1, 2, 3, 1, 2, 4, 1, 2], "n": 2, "draft_tokens": 1}, [4], hint="The latest place."),
        Case("near the end", {"ids": [7, 7, 7], "n": 2, "draft_tokens": 3}, [7], hint="Fewer may follow than asked."),
        Case("the tail itself", {"ids": [5, 6, 1, 2], "n": 2, "draft_tokens": 2}, [], hint="It must stand earlier."),
        Case("too short", {"ids": [1], "n": 2, "draft_tokens": 2}, []),
        Case("only one matches", {"ids": [1, 2, 9, 2, 3, 2], "n": 2, "draft_tokens": 2}, [], hint="All n of them."),
    ),
)


def counters(drafts: int, proposed: int, accepted: int) -> dict[str, int]:
    """An engine's counters at one moment."""
    return {"drafts_total": drafts, "draft_tokens_total": proposed, "accepted_tokens_total": accepted}


ACCEPTANCE = Exercise(
    id="ex8-acceptance",
    title="acceptance from an engine's counters",
    function="acceptance",
    hint="Counters never fall: what happened in between is the difference. Each draft is one pass of the target.",
    cases=(
        Case(
            "from zero", {"before": counters(0, 0, 0), "after": counters(100, 400, 220)}, {"length": 3.2, "rate": 0.55}
        ),
        Case(
            "in between",
            {"before": counters(100, 400, 220), "after": counters(150, 600, 250)},
            {"length": 1.6, "rate": 0.15},
            hint="What was before the run is not yours.",
        ),
        Case(
            "short drafts",
            {"before": counters(10, 15, 9), "after": counters(30, 45, 33)},
            {"length": 2.2, "rate": 0.8},
            hint="Not every draft has k tokens.",
        ),
        Case(
            "nothing happened",
            {"before": counters(7, 28, 3), "after": counters(7, 28, 3)},
            {"length": None, "rate": None},
            hint="Without a draft there is no acceptance.",
        ),
    ),
)

STEP = {"fixed_s": 0.010, "per_token_s": 0.001, "length": 2.0, "draft_tokens": 3, "draft_s": 0.001}

CROWD = Exercise(
    id="ex9-batch-that-loses",
    title="from which batch on speculation loses",
    function="first_losing_batch",
    hint="A pass over b sequences computes b tokens, or b x (k + 1) of them. Compare times per token that comes out.",
    cases=(
        Case("a small machine", {**STEP, "batches": [1, 2, 4, 8, 16]}, 8),
        Case("fixed cost only", {**STEP, "per_token_s": 0.0, "batches": [1, 4, 16, 64]}, None),
        Case("a costly draft", {**STEP, "draft_s": 0.012, "batches": [1, 2, 4]}, 1, hint="Drafting takes time too."),
        Case("a good draft", {**STEP, "length": 3.5, "batches": [1, 4, 16, 64, 256]}, 64),
        Case("level counts as lost", {**STEP, "draft_s": 0.0, "batches": [1, 5, 6]}, 5, hint="As fast is no gain."),
    ),
)

TREE = Exercise(
    id="ex10-tree-mask",
    title="who sees whom in a tree of proposals",
    function="tree_mask",
    hint="A node follows its parent, which follows its own: it may see those, and itself, and no cousin.",
    cases=(
        Case("a chain", {"parents": [-1, 0, 1]}, [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
        Case("two branches", {"parents": [-1, -1]}, [[1, 0], [0, 1]], hint="Alternatives for one place."),
        Case(
            "a tree",
            {"parents": [-1, 0, 0, 1, 2]},
            [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 1, 0, 1]],
        ),
    ),
)

Json = dict[str, Any]

FEWEST_PAIRS = 2
"""Configurations beside their baseline that a conclusion about speculation needs."""

EXACT = 1e-9


def judge_speedup(evidence: Evidence) -> Verdict:
    """Reached if speculation was measured beside its own baseline, nothing was lost, and one gain was shown.

    The evidence is {"rows": [{"bundle": a comparison with its baseline first, "label", "speedup": [mean, low, high],
    "length", "rate"}]}. Every figure is computed again from the records and the engines' counters.
    """
    shown: Json = {}
    rows = evidence.data["rows"]
    if len(rows) < FEWEST_PAIRS:
        return not_reached(f"{len(rows)} configurations beside a baseline; asked are {FEWEST_PAIRS}")
    for row in rows:
        where = f"{row['bundle']}, {row['label']}"
        try:
            problem, comparison = problem_of(evidence.bundle(row["bundle"]), row["label"])
        except CourseError as error:
            return not_reached(error.what)
        if problem or comparison is None:
            return not_reached(f"{where}: {problem}")
        interval = comparison.ratio(row["label"])
        found = (interval.estimate, interval.low, interval.high)
        if any(abs(told - seen) > EXACT for told, seen in zip(row["speedup"], found, strict=True)):
            return not_reached(f"{where}: the speedup is {row['speedup'][0]:.3f} there, {found[0]:.3f} by the records")
        length, rate = counted_acceptance(comparison[row["label"]])
        if length is None or not (_same(length, row["length"]) and _same(rate, row["rate"])):
            return not_reached(f"{where}: the acceptance is not what the engine's counters say")
        if interval.low > 1:
            shown[where] = [*found, length]
    if not shown:
        return not_reached("no configuration gained: no interval lies above 1", configurations=len(rows))
    return reached(configurations=len(rows), gains=shown)


def _same(counted: float | None, told: float | None) -> bool:
    # An engine that counts no proposals, SGLang, has no rate.
    return counted is told is None or (counted is not None and told is not None and abs(counted - told) <= EXACT)


def problem_of(bundle: Bundle, label: str) -> tuple[str, Comparison | None]:
    """What forbids a conclusion from a comparison; empty if nothing does."""
    labels = [run.label for run in bundle.runs]
    if bundle.kind != "comparison" or label not in labels[1:]:
        return "no comparison with a baseline of its own", None
    comparison = Comparison(bundle.runs)
    base, other = bundle.runs[0], comparison[label]
    if counted_acceptance(base)[0] is not None:
        return f"the baseline {base.label} speculates too", None
    for run in (base, other):
        if not run.valid:
            return f"{run.label}: {run.notes[0].text}", None
        if len(run.repeats) < ENOUGH_SAMPLES:
            return f"{len(run.repeats)} repeats; an interval needs {ENOUGH_SAMPLES}", None
    if (base.target.engine, base.target.model) != (other.target.engine, other.target.model):
        return "baseline and speculation ran on different engines or models", None
    greedy = base.workload.options.get("temperature") == 0
    if greedy and changed_answers(base, other) > MOST_CHANGED * len(base.records):
        return f"{changed_answers(base, other)} of {len(base.records)} answers at temperature 0 changed", None
    return "", comparison


MOST_CHANGED = 0.05
"""Share of greedy answers that may differ: two passes of other shapes round differently, and near a tie that shows."""


def changed_answers(base: Run, other: Run) -> int:
    """Answers that are not word for word the baseline's; both got the same prompts in the same order."""
    pairs = [
        (one.text, two.text)
        for ones, twos in zip(base.repeats, other.repeats, strict=True)
        for one, two in zip(in_order(ones), in_order(twos), strict=True)
    ]
    return sum(one != two for one, two in pairs)


def in_order(records: Any) -> list[Any]:
    """Records in the order of their prompts, not of their ends."""
    return sorted(records, key=lambda record: (len(record.request_id), record.request_id))


LEAST_LENGTH = 1.2
"""A head that keeps fewer is not loaded right: a head of random weights yields about 1.0."""


def judge_eagle3(evidence: Evidence) -> Verdict:
    """Reached if an EAGLE-3 head proposed in a real engine, and its counters show that proposals were kept.

    The evidence is {"bundle": folder, "label": run, "speculation": "eagle3"}.
    """
    if evidence.data["speculation"] != "eagle3":
        return not_reached(f"speculation was {evidence.data['speculation']}, not eagle3")
    try:
        problem, comparison = problem_of(evidence.bundle(evidence.data["bundle"]), evidence.data["label"])
    except CourseError as error:
        return not_reached(error.what)
    if problem or comparison is None:
        return not_reached(problem)
    length, rate = counted_acceptance(comparison[evidence.data["label"]])
    if length is None or length < LEAST_LENGTH:
        return not_reached(f"the engine's counters say {length or 0:.2f} tokens a pass; asked are {LEAST_LENGTH}")
    return reached(length=length, rate=rate)


TASK = Task(
    title="Speculative decoding with SGLang and EAGLE-3",
    minutes=120,
    gpu_minutes=25,
    needs="2 cores, 4 GB of memory; no GPU",
    exercises=(GREEDY, KEEP, RESIDUAL, SAMPLED, LENGTH, SPEEDUP, NGRAM, ACCEPTANCE, CROWD, TREE),
    milestones=(
        Milestone(
            "12.4.speedup",
            "speedup measured beside its own baseline",
            judge_speedup,
            needs="an engine that can speculate here",
        ),
        Milestone("12.4.eagle3", "EAGLE-3 really ran", judge_eagle3, needs="an engine with an EAGLE-3 head"),
    ),
)
