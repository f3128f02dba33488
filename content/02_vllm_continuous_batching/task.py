"""Task 12.2: what is judged. Exercises with their visible cases; the milestones with their judges."""

from typing import Any

from helpers.bench.metrics import Objective, summarize
from helpers.bench.race import Lap
from helpers.bench.results import Sweep
from helpers.bench.statistics import ENOUGH_SAMPLES, ratio
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError

COURSE = {"layers": 6, "heads": 4, "kv_heads": 2, "head_size": 64}
LLAMA_8B = {"layers": 32, "heads": 32, "kv_heads": 8, "head_size": 128}
OLD_7B = {"layers": 32, "heads": 32, "kv_heads": 32, "head_size": 128}

KV_BYTES = Exercise(
    id="ex1-kv-bytes",
    title="bytes of a token in the KV cache",
    function="kv_bytes_per_token",
    hint="A token leaves a key and a value behind, for each KV head, in each layer.",
    cases=(
        Case("the course model, float32", {"shape": COURSE, "bytes_per_value": 4}, 6144),
        Case(
            "8 B with grouped queries, bf16",
            {"shape": LLAMA_8B, "bytes_per_value": 2},
            131072,
            hint="Several query heads share one KV head.",
        ),
        Case("7 B without groups, bf16", {"shape": OLD_7B, "bytes_per_value": 2}, 524288),
        Case("8 B, one byte a value", {"shape": LLAMA_8B, "bytes_per_value": 1}, 65536),
    ),
)


def pool(free: list[int], block_size: int = 4) -> dict[str, Any]:
    """Blocks that nobody holds, the one that has been free longest first."""
    return {"block_size": block_size, "free": free}


def holder(tokens: int, blocks: list[int]) -> dict[str, Any]:
    """A request: how many of its tokens are in the cache, and which blocks hold them."""
    return {"tokens": tokens, "blocks": blocks}


CAN_APPEND = Exercise(
    id="ex2-can-append",
    title="is there room for more tokens?",
    function="can_append",
    hint="How many blocks will the request need in all, how many does it hold, and how many are free?",
    cases=(
        Case(
            "room in the last block, none free",
            {"pool": pool([]), "request": holder(6, [2, 5]), "count": 2},
            True,
            hint="Eight tokens fit into two blocks of four.",
        ),
        Case("the last block is full, none free", {"pool": pool([]), "request": holder(8, [2, 5]), "count": 1}, False),
        Case(
            "the last free block",
            {"pool": pool([7]), "request": holder(8, [2, 5]), "count": 1},
            True,
            hint="One is needed and one is free.",
        ),
        Case("a prompt of nine", {"pool": pool([7, 1]), "request": holder(0, []), "count": 9}, False),
        Case("a prompt of eight", {"pool": pool([7, 1]), "request": holder(0, []), "count": 8}, True),
        Case(
            "five tokens across the edge",
            {"pool": pool([7]), "request": holder(7, [2, 5]), "count": 5},
            True,
            hint="One token fills the block that it has; the other four need one block.",
        ),
        Case("six tokens across the edge", {"pool": pool([7]), "request": holder(7, [2, 5]), "count": 6}, False),
    ),
)

APPEND = Exercise(
    id="ex3-append",
    title="allocate blocks for more tokens",
    function="append",
    hint="Count the missing blocks first; take them from the front of the free list, or nothing at all.",
    cases=(
        Case(
            "a prompt of six",
            {"pool": pool([3, 9, 4]), "request": holder(0, []), "count": 6},
            {"free": [4], "tokens": 6, "blocks": [3, 9]},
        ),
        Case(
            "room in the last block",
            {"pool": pool([3, 9]), "request": holder(5, [8, 1]), "count": 3},
            {"free": [3, 9], "tokens": 8, "blocks": [8, 1]},
            hint="The last block still had three places.",
        ),
        Case(
            "one more block",
            {"pool": pool([3, 9]), "request": holder(8, [8, 1]), "count": 1},
            {"free": [9], "tokens": 9, "blocks": [8, 1, 3]},
        ),
        Case(
            "too little for a long prompt",
            {"pool": pool([3, 9]), "request": holder(0, []), "count": 12},
            None,
            hint="A request that cannot have all the blocks it needs gets none of them.",
        ),
        Case(
            "exactly enough",
            {"pool": pool([6, 2], 16), "request": holder(16, [5]), "count": 32},
            {"free": [], "tokens": 48, "blocks": [5, 6, 2]},
        ),
    ),
)

SLOTS = Exercise(
    id="ex4-slots",
    title="where in the pool does a token lie?",
    function="slots",
    hint="The position says which of the request's blocks, and which place in it; the table says where that block is.",
    cases=(
        Case("the first block", {"blocks": [3, 0], "block_size": 4, "start": 0, "count": 2}, [12, 13]),
        Case(
            "across an edge",
            {"blocks": [3, 0], "block_size": 4, "start": 2, "count": 4},
            [14, 15, 0, 1],
            hint="Neighbours in the text need not be neighbours in memory.",
        ),
        Case("deep in the text", {"blocks": [5, 2, 7], "block_size": 8, "start": 17, "count": 3}, [57, 58, 59]),
        Case("one token", {"blocks": [1, 4], "block_size": 2, "start": 3, "count": 1}, [9]),
    ),
)


def asked(identity: str, todo: int) -> dict[str, Any]:
    """A request as the scheduler sees it: how many of its tokens are not yet computed."""
    return {"id": identity, "todo": todo}


DECODING = [asked("a", 1), asked("b", 1), asked("c", 1)]
SCHEDULE = Exercise(
    id="ex5-schedule",
    title="one step of the scheduler",
    function="schedule",
    hint="First those that run, then those that wait, in their order, as long as seats and tokens are left.",
    cases=(
        Case(
            "all decode, one joins",
            {"running": DECODING, "waiting": [asked("d", 5)], "budget": 16, "seats": 8, "chunked": True},
            [["a", 1], ["b", 1], ["c", 1], ["d", 5]],
            hint="There is room in the step: why should d wait?",
        ),
        Case(
            "a long prompt in pieces",
            {"running": DECODING, "waiting": [asked("d", 50)], "budget": 16, "seats": 8, "chunked": True},
            [["a", 1], ["b", 1], ["c", 1], ["d", 13]],
            hint="Those that run go first; the prompt gets what is left of the budget.",
        ),
        Case(
            "its next piece, and nobody else",
            {
                "running": [asked("a", 1), asked("d", 37)],
                "waiting": [asked("e", 4)],
                "budget": 16,
                "seats": 8,
                "chunked": True,
            },
            [["a", 1], ["d", 15]],
        ),
        Case(
            "no seat free",
            {"running": DECODING, "waiting": [asked("d", 5)], "budget": 16, "seats": 3, "chunked": True},
            [["a", 1], ["b", 1], ["c", 1]],
        ),
        Case(
            "two join, one seat",
            {"running": DECODING, "waiting": [asked("d", 2), asked("e", 2)], "budget": 16, "seats": 4, "chunked": True},
            [["a", 1], ["b", 1], ["c", 1], ["d", 2]],
        ),
        Case(
            "two join at once",
            {"running": [asked("a", 1)], "waiting": [asked("d", 6), asked("e", 3)]}
            | {"budget": 16, "seats": 8, "chunked": True},
            [["a", 1], ["d", 6], ["e", 3]],
        ),
        Case(
            "without chunks, it fits",
            {"running": [asked("a", 1)], "waiting": [asked("d", 15)], "budget": 16, "seats": 8, "chunked": False},
            [["a", 1], ["d", 15]],
        ),
        Case(
            "without chunks, it does not fit",
            {
                "running": [asked("a", 1)],
                "waiting": [asked("d", 16), asked("e", 3)],
                "budget": 16,
                "seats": 8,
                "chunked": False,
            },
            [["a", 1]],
            hint="First come, first served: if e overtakes today, somebody may overtake d for ever.",
        ),
        Case(
            "the budget is smaller than the batch",
            {"running": DECODING, "waiting": [], "budget": 2, "seats": 8, "chunked": True},
            [["a", 1], ["b", 1]],
        ),
    ),
)

TABLES = [
    {"id": "a", "blocks": [0, 1]},
    {"id": "b", "blocks": [2]},
    {"id": "c", "blocks": [3, 4, 5, 6]},
    {"id": "d", "blocks": [7]},
]
SHARED = [
    {"id": "a", "blocks": [0, 1, 2]},
    {"id": "b", "blocks": [0, 1, 3]},
    {"id": "c", "blocks": [0, 1, 4]},
]
PREEMPT = Exercise(
    id="ex6-preempt",
    title="who gives way when the blocks run out?",
    function="preempt",
    hint="The last that arrived gives way first, and no more of them than needed. Which blocks come free with it?",
    cases=(
        Case("enough is free", {"running": TABLES, "free": 2, "needed": 2}, []),
        Case("the last one is enough", {"running": TABLES, "free": 0, "needed": 1}, ["d"]),
        Case("two must go", {"running": TABLES, "free": 0, "needed": 3}, ["d", "c"], hint="d frees one block, c four."),
        Case("some are free already", {"running": TABLES, "free": 2, "needed": 3}, ["d"]),
        Case(
            "a shared beginning",
            {"running": SHARED, "free": 0, "needed": 2},
            ["c", "b"],
            hint="A block that somebody else still holds does not come free.",
        ),
        Case(
            "all must go",
            {"running": SHARED, "free": 1, "needed": 6},
            ["c", "b", "a"],
            hint="The last holder of a shared block frees it.",
        ),
    ),
)

STEPS = Exercise(
    id="ex7-steps",
    title="steps of a static and of a continuous batch",
    function="count_steps",
    hint="Static: a batch takes as long as its longest. Continuous: a seat that becomes free is taken at once.",
    cases=(
        Case("all alike", {"lengths": [4, 4, 4, 4], "seats": 2}, {"static": 8, "continuous": 8}),
        Case("one long among short", {"lengths": [8, 1, 1, 1, 1, 1], "seats": 2}, {"static": 10, "continuous": 8}),
        Case(
            "a long one comes last",
            {"lengths": [1, 1, 1, 8], "seats": 2},
            {"static": 9, "continuous": 9},
            hint="Nobody knows beforehand who will be long; the last one runs alone.",
        ),
        Case("a mixed load", {"lengths": [3, 9, 2, 7, 5, 4], "seats": 3}, {"static": 16, "continuous": 12}),
        Case("more seats than requests", {"lengths": [2, 5], "seats": 4}, {"static": 5, "continuous": 5}),
    ),
)

WASTE = Exercise(
    id="ex8-kv-waste",
    title="reserved, but empty",
    function="kv_waste",
    hint="Of all places that are reserved, which share holds no token? Sum first, divide once.",
    cases=(
        Case(
            "one short, one long",
            {"tokens": [10, 90], "block_size": 16, "max_model_len": 100},
            {"contiguous": 0.5, "paged": 1 - 100 / 112},
        ),
        Case(
            "full blocks",
            {"tokens": [32, 64], "block_size": 16, "max_model_len": 128},
            {"contiguous": 0.625, "paged": 0.0},
            hint="A block that is exactly full needs no other beside it.",
        ),
        Case(
            "many short ones",
            {"tokens": [1, 1, 1, 1], "block_size": 16, "max_model_len": 64},
            {"contiguous": 0.984375, "paged": 0.9375},
        ),
        Case(
            "larger blocks",
            {"tokens": [10, 90], "block_size": 64, "max_model_len": 128},
            {"contiguous": 1 - 100 / 256, "paged": 1 - 100 / 192},
        ),
    ),
)

BLOCK_KEYS = Exercise(
    id="ex9-block-keys",
    title="names for full blocks",
    function="block_keys",
    hint="Keys and values depend on everything before them: so must a block's name. Only full blocks have one.",
    cases=(
        Case("two full blocks", {"ids": [1, 2, 3, 4], "block_size": 2}, ["/1-2", "/1-2/3-4"]),
        Case("one and a half", {"ids": [5, 6, 7], "block_size": 2}, ["/5-6"], hint="The half block will still change."),
        Case(
            "the same tokens twice",
            {"ids": [9, 9, 9, 9], "block_size": 2},
            ["/9-9", "/9-9/9-9"],
            hint="The same tokens at another place have other keys and values.",
        ),
        Case("too short", {"ids": [1, 2, 3], "block_size": 4}, []),
        Case("three blocks", {"ids": [4, 8, 1, 7, 7, 7, 2], "block_size": 2}, ["/4-8", "/4-8/1-7", "/4-8/1-7/7-7"]),
    ),
)

REUSABLE = Exercise(
    id="ex10-reusable",
    title="how much of a prompt is already computed?",
    function="reusable_tokens",
    hint="Block by block from the beginning, up to the first that is not there. And what must always be computed?",
    cases=(
        Case("nothing known", {"ids": [1, 2, 3, 4, 5], "block_size": 2, "known": []}, 0),
        Case("two blocks known", {"ids": [1, 2, 3, 4, 5], "block_size": 2, "known": ["/1-2", "/1-2/3-4"]}, 4),
        Case(
            "a hole",
            {"ids": [1, 2, 3, 4, 5, 6, 7], "block_size": 2, "known": ["/1-2", "/1-2/3-4/5-6"]},
            2,
            hint="The middle block was evicted: what comes after it cannot be used.",
        ),
        Case(
            "all of it known",
            {"ids": [1, 2, 3, 4], "block_size": 2, "known": ["/1-2", "/1-2/3-4"]},
            2,
            hint="The cache holds keys and values, not the logits of the last token.",
        ),
        Case(
            "the beginning was evicted",
            {"ids": [1, 2, 3, 4, 5], "block_size": 2, "known": ["/1-2/3-4", "/9-9"]},
            0,
        ),
    ),
)

INT8 = Exercise(
    id="ex11-int8",
    title="there and back through int8",
    function="through_int8",
    hint="Each row has a scale of its own: its largest magnitude becomes 127. Then round.",
    cases=(
        Case("one row", {"rows": [[127.0, -63.6, 0.4]]}, [[127.0, -64.0, 0.0]], hint="Round to the nearest."),
        Case(
            "a small and a large row",
            {"rows": [[0.0127, 0.0001, -0.0064], [254.0, -3.0, 100.0]]},
            [[0.0127, 0.0001, -0.0064], [254.0, -4.0, 100.0]],
            hint="One large row must not wipe out the small one.",
        ),
        Case(
            "the largest is negative",
            {"rows": [[-12.7, 5.02, 1.26]]},
            [[-12.7, 5.0, 1.3]],
            hint="A magnitude has no sign.",
        ),
        Case("a row of zeros", {"rows": [[0.0, 0.0]]}, [[0.0, 0.0]], hint="What is divided by what?"),
    ),
)


def step(
    fixed_s: float,
    weight_bytes: float,
    kv_bytes_per_sequence: float,
    flops_per_token: float,
    machine: tuple[float, float],
) -> dict[str, float]:
    """A decode step on a machine of (bytes/s, FLOPs/s)."""
    return {
        "fixed_s": fixed_s,
        "weight_bytes": weight_bytes,
        "kv_bytes_per_sequence": kv_bytes_per_sequence,
        "flops_per_token": flops_per_token,
        "bytes_per_s": machine[0],
        "flops_per_s": machine[1],
    }


LAPTOP, SPARK = (10e9, 100e9), (273e9, 60e12)
GAIN = Exercise(
    id="ex12-batch-gain",
    title="why a batch gains, and when no longer",
    function="batch_gain",
    hint="Which of the three terms grow with the batch? Time both batches, then compare tokens a second.",
    cases=(
        Case(
            "a small model: the fixed cost",
            {"step": step(0.004, 20e6, 0.0, 10e6, LAPTOP), "batch": 8},
            {"gain": 8 * 0.0061 / 0.0068, "largest": "fixed"},
        ),
        Case(
            "a large model on a laptop: arithmetic",
            {"step": step(0.001, 600e6, 0.0, 300e6, LAPTOP), "batch": 32},
            {"gain": 32 * 0.064 / 0.157, "largest": "flops"},
        ),
        Case(
            "8 B on a Spark: bytes",
            {"step": step(0.0, 16.38e9, 0.0, 16e9, SPARK), "batch": 32},
            {"gain": 32 * (0.06 + 16e9 / 60e12) / (0.06 + 32 * 16e9 / 60e12), "largest": "bytes"},
        ),
        Case(
            "long contexts: each brings its own bytes",
            {"step": step(0.0, 2.73e9, 1.365e9, 0.0, SPARK), "batch": 16},
            {"gain": 16 * 0.015 / 0.09, "largest": "bytes"},
            hint="The weights are read once for all; whose are the keys and values?",
        ),
    ),
)


def point(streams: int, duration_s: float, waits: list[tuple[float, float]], valid: bool = True) -> dict[str, Any]:
    """A load with (TTFT, TPOT) of each request, in seconds."""
    requests = [{"ttft_s": ttft_s, "tpot_s": tpot_s} for ttft_s, tpot_s in waits]
    return {"streams": streams, "duration_s": duration_s, "requests": requests, "valid": valid}


QUICK, LATE, SLOW = (0.1, 0.01), (0.9, 0.01), (0.1, 0.09)
PROMISE = {"ttft_limit_s": 0.5, "tpot_limit_s": 0.05}
BEST_LOAD = Exercise(
    id="ex13-best-load",
    title="how many users may come?",
    function="best_load",
    hint="For each point that may be used: the requests a second that kept both bounds. Which points keep the share?",
    cases=(
        Case(
            "more users, more goodput",
            {
                "points": [
                    point(1, 2.0, [QUICK] * 4),
                    point(4, 1.0, [QUICK] * 10),
                    point(8, 2.0, [QUICK] * 19 + [LATE] * 2),
                ],
                "share": 0.9,
                **PROMISE,
            },
            {"streams": 4, "goodput_per_s": 10.0},
        ),
        Case(
            "goodput still rises, the share does not hold",
            {
                "points": [point(4, 1.0, [QUICK] * 10), point(16, 1.0, [QUICK] * 12 + [LATE] * 14)],
                "share": 0.9,
                **PROMISE,
            },
            {"streams": 4, "goodput_per_s": 10.0},
            hint="Twelve good answers a second, and more than half of the users are let down.",
        ),
        Case(
            "the mean looks fine",
            {
                "points": [point(2, 2.0, [QUICK] * 6), point(8, 1.0, [QUICK] * 6 + [LATE] * 2)],
                "share": 0.9,
                **PROMISE,
            },
            {"streams": 2, "goodput_per_s": 3.0},
        ),
        Case(
            "slow tokens break the promise too",
            {"points": [point(2, 2.0, [QUICK] * 8), point(8, 1.0, [SLOW] * 20)], "share": 0.9, **PROMISE},
            {"streams": 2, "goodput_per_s": 4.0},
        ),
        Case(
            "a point with errors",
            {
                "points": [point(2, 1.0, [QUICK] * 4), point(64, 1.0, [QUICK] * 50, valid=False)],
                "share": 0.9,
                **PROMISE,
            },
            {"streams": 2, "goodput_per_s": 4.0},
        ),
        Case("nobody is served well", {"points": [point(1, 1.0, [LATE] * 2)], "share": 0.9, **PROMISE}, None),
    ),
)


EXACT = 1e-6
"""Relative difference allowed between a figure in the evidence and the same figure computed from the records."""


def judge_batching(evidence: Evidence) -> Verdict:
    """Reached if the races' records show two kinds of batching, the same tokens, and a gain whose interval is above 1.

    The evidence is {"seats", "jobs": [{"name", "prompt", "max_tokens"}], "races": [{"static": a lap's records,
    "continuous": the same}], "ratio": [estimate, low, high], "waste": {side: {"kv", "batch"}}}.
    """
    jobs = {job["name"]: (len(job["prompt"]), job["max_tokens"]) for job in evidence.data["jobs"]}
    races = [{side: Lap.from_json(lap) for side, lap in race.items()} for race in evidence.data["races"]]
    if len(races) < ENOUGH_SAMPLES:
        return not_reached(f"{len(races)} races; an interval needs {ENOUGH_SAMPLES}")
    for race in races:
        for side, lap in race.items():
            problem = _lap_problem(lap, jobs, evidence.data["seats"])
            if problem:
                return not_reached(f"{side} batching: {problem}")
        if _joins_others(race["static"]):
            return not_reached("in the static lap a request joined while others were still being answered")
        if not _joins_others(race["continuous"]):
            return not_reached("in the continuous lap no request joined a batch that was running")
    texts = [{name: answer.ids for name, answer in lap.answers.items()} for race in races for lap in race.values()]
    if any(other != texts[0] for other in texts):
        return not_reached("the two kinds of batching did not give the same tokens")
    rates = [[race[side].output_tokens_per_s for race in races] for side in ("static", "continuous")]
    found = ratio(*rates)
    told = evidence.data["ratio"]
    if any(
        abs(one / other - 1) > EXACT for one, other in zip(told, (found.estimate, found.low, found.high), strict=True)
    ):
        return not_reached(f"the ratio is {told[0]:.4g} in the evidence, {found.estimate:.4g} by the records")
    waste = {side: {"kv": races[0][side].kv_waste, "batch": races[0][side].batch_waste} for side in races[0]}
    for side, shares in waste.items():
        for name, share in shares.items():
            if abs(evidence.data["waste"][side][name] - share) > EXACT:
                return not_reached(
                    f"{side} batching: the {name} waste is {evidence.data['waste'][side][name]:.4g} in the evidence, "
                    f"{share:.4g} by the records"
                )
    if found.low <= 1:
        return not_reached(f"the gain is {found.estimate:.2f}, and its interval from {found.low:.2f} on holds 1")
    return reached(gain=[found.estimate, found.low, found.high], waste=waste, races=len(races), requests=len(jobs))


def _lap_problem(lap: Lap, jobs: dict[str, tuple[int, int]], seats: int) -> str:
    """What in a lap's records does not fit together; empty if nothing."""
    if set(lap.answers) != set(jobs):
        return f"{len(lap.answers)} answers to {len(jobs)} jobs"
    new = dict.fromkeys(jobs, 0)
    reached_to = dict.fromkeys(jobs, 0)
    for step in lap.steps:
        if len(step["work"]) > seats:
            return f"{len(step['work'])} requests in one step, of {seats} seats"
        for name, start, tokens, generated, padding in step["work"]:
            if not padding:
                new[name] += generated
                reached_to[name] = start + tokens
    for name, (prompt_tokens, max_tokens) in jobs.items():
        if not len(lap.answers[name].ids) == new[name] == max_tokens:
            return (
                f"{name} has {len(lap.answers[name].ids)} tokens, {new[name]} by the steps, {max_tokens} were asked for"
            )
        if reached_to[name] != prompt_tokens + max_tokens - 1:
            return f"{name} was computed up to position {reached_to[name]} of {prompt_tokens + max_tokens - 1}"
    if abs(lap.clock_s / sum(step["seconds"] for step in lap.steps) - 1) > EXACT:
        return f"its clock shows {lap.clock_s:.4g} s, its steps took {sum(step['seconds'] for step in lap.steps):.4g} s"
    return ""


def _joins_others(lap: Lap) -> bool:
    """True if a request was first computed in a step in which one that began earlier still gained."""
    begun: set[str] = set()
    for step in lap.steps:
        gaining = {name for name, *_, padding in step["work"] if not padding}
        if begun & gaining and gaining - begun:
            return True
        begun |= gaining
    return False


MOST_STREAMS = 16
"""A sweep that ends below this many streams shows too little of a batch."""


def judge_vllm(evidence: Evidence) -> Verdict:
    """Reached if vLLM itself batched under the load, and its sweep is valid, with knee and goodput as recorded.

    The evidence is {"bundle": folder of a sweep, "seats": max_num_seqs, "gauges": {label of a run: what
    `helpers.watch` read}, "knee": label or empty, "objective": {"ttft_s", "tpot_s"}, "goodput_per_s": {label: rate}}.
    """
    try:
        runs = evidence.bundle(evidence.data["bundle"]).runs
    except CourseError as error:
        return not_reached(error.what)
    loads = {run.concurrency: run for run in runs if run.concurrency is not None}
    if 1 not in loads or max(loads) < MOST_STREAMS:
        return not_reached(f"a sweep from 1 to at least {MOST_STREAMS} streams was asked, this one has {sorted(loads)}")
    for run in runs:
        if run.target.engine != "vllm":
            return not_reached(f"{run.label} was measured on {run.target.engine}")
        if run.metrics.errors or not run.valid:
            return not_reached(f"{run.label}: {run.notes[0].text}")
    found_knee = Sweep(runs).knee
    knee = found_knee.label if found_knee else ""
    if knee != evidence.data["knee"]:
        return not_reached(f"the knee is {evidence.data['knee']!r} in the evidence, {knee!r} by the records")
    objective = Objective(**evidence.data["objective"])
    for run in runs:
        told, found = evidence.data["goodput_per_s"].get(run.label), summarize(run.records, objective).goodput_per_s
        if told is None or found is None or abs(told - found) > EXACT:
            return not_reached(f"{run.label}: the goodput is {told} in the evidence, {found} by the records")
    problem = _gauges_problem(evidence.data["gauges"].get(loads[max(loads)].label, []), evidence.data["seats"])
    if problem:
        return not_reached(f"{loads[max(loads)].label}: {problem}")
    rates = {load: run.metrics.output_tokens_per_s or 0.0 for load, run in loads.items()}
    if max(rates.values()) <= rates[1]:
        return not_reached("no load gave more tokens a second than one stream")
    return reached(output_tokens_per_s=rates, knee=knee, gain=max(rates.values()) / rates[1])


def _gauges_problem(samples: list[dict[str, float]], seats: int) -> str:
    """What the engine's own gauges do not show; empty if they show a batch that used the cache."""
    running = max((sample.get("requests_running", 0.0) for sample in samples), default=0.0)
    if running < 2:
        return f"the engine never said that it runs two requests at once ({len(samples)} readings)"
    if running > seats:
        return f"the engine ran {running:.0f} requests at once, of {seats} seats"
    usage = [sample["kv_cache_usage"] for sample in samples if "kv_cache_usage" in sample]
    return "" if usage and 0 < max(usage) <= 1 else "the engine never said that its KV cache is in use"


TASK = Task(
    title="vLLM and continuous batching",
    minutes=120,
    gpu_minutes=30,
    needs="2 cores, 2 GB of memory; 4 GB more and a few minutes for vLLM where it is installed; no GPU",
    exercises=(
        KV_BYTES,
        CAN_APPEND,
        APPEND,
        SLOTS,
        SCHEDULE,
        PREEMPT,
        STEPS,
        WASTE,
        BLOCK_KEYS,
        REUSABLE,
        INT8,
        GAIN,
        BEST_LOAD,
    ),
    milestones=(
        Milestone(
            "12.2.batching",
            "continuous batching beats static batching on the same load",
            judge_batching,
            needs="nothing beside the course itself",
        ),
        Milestone(
            "12.2.vllm",
            "vLLM with continuous batching under load",
            judge_vllm,
            needs="vLLM: ./course engines install vllm, or an NVIDIA GPU",
            embedded="not-run",
        ),
    ),
)
