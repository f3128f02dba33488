"""Task 12.1: what is judged. Exercises with their visible cases; the milestone with its judge."""

from typing import Any

from helpers.bench.bundle import Bundle
from helpers.bench.groups import group_runs
from helpers.bench.results import Comparison
from helpers.bench.standings import EngineRow, engine_rows
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError, UsageError

ROLE = {"at_s": 10.02, "delta": {"role": "assistant", "content": ""}}
ANSWER: dict[str, Any] = {
    "sent_s": 10.0,
    "events": [
        ROLE,
        {"at_s": 10.25, "delta": {"content": "A KV"}},
        {"at_s": 10.30, "delta": {"content": " cache keeps"}},
        {"at_s": 10.34, "delta": {"content": " keys."}},
        {"at_s": 10.35, "delta": {}},
    ],
    "usage": {"prompt_tokens": 21, "completion_tokens": 8},
    "done_s": 10.36,
}
THINKING: dict[str, Any] = {
    "sent_s": 3.0,
    "events": [
        {"at_s": 3.01, "delta": {"role": "assistant"}},
        {"at_s": 3.5, "delta": {"reasoning_content": "The user asks"}},
        {"at_s": 4.5, "delta": {"content": "Yes"}},
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 40},
    "done_s": 4.51,
}
SILENT: dict[str, Any] = {
    "sent_s": 1.0,
    "events": [{"at_s": 1.1, "delta": {"role": "assistant", "content": ""}}, {"at_s": 1.2, "delta": {}}],
    "usage": None,
    "done_s": 1.21,
}
CODE: dict[str, Any] = {
    "sent_s": 0.0,
    "events": [
        {"at_s": 0.2, "delta": {"content": "x=[i**2for(i)in"}},
        {"at_s": 0.3, "delta": {"content": "range(9)]"}},
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 18},
    "done_s": 0.31,
}


def done(sent_s: float, done_s: float, output_tokens: int, error: str = "") -> dict[str, Any]:
    """A finished request of the throughput cases."""
    return {"sent_s": sent_s, "done_s": done_s, "output_tokens": output_tokens, "error": error}


def timed(sent_s: float, first_s: float, last_s: float, output_tokens: int, error: str = "") -> dict[str, Any]:
    """A finished request of the goodput cases; it ends 10 ms after its last token."""
    return {
        "sent_s": sent_s,
        "first_s": first_s,
        "last_s": last_s,
        "done_s": last_s + 0.01,
        "output_tokens": output_tokens,
        "error": error,
    }


TTFT = Exercise(
    id="ex1-ttft",
    title="time to first token",
    function="ttft_s",
    hint="Which events carry words of the model, and from which moment does a user wait?",
    cases=(
        Case("role first", {"request": ANSWER}, 0.25, hint="The first event is no token: look at its delta."),
        Case("thinking first", {"request": THINKING}, 0.5, hint="Hidden thinking is generated token by token too."),
        Case("no words before", {"request": CODE}, 0.2),
        Case("no token at all", {"request": SILENT}, None, hint="What is the TTFT of an answer without a token?"),
    ),
)

OUTPUT_TOKENS = Exercise(
    id="ex2-output-tokens",
    title="output tokens of an answer",
    function="output_tokens",
    hint="Only one side of the wire knows how many tokens were generated.",
    cases=(
        Case("several tokens a chunk", {"request": ANSWER}, 8, hint="Three chunks of words; eight tokens."),
        Case("with thinking", {"request": THINKING}, 40),
        Case("code", {"request": CODE}, 18, hint="Code has few spaces, so few words and many tokens."),
        Case("the server did not say", {"request": SILENT}, None, hint="Not known is not the same as zero."),
    ),
)

TPOT = Exercise(
    id="ex3-tpot",
    title="time per output token",
    function="tpot_s",
    hint="How many tokens came after the first one, and how long did those take?",
    cases=(
        Case("a token a chunk", {"chunk_s": [1.0, 1.2, 1.4, 1.6], "output_tokens": 4}, 0.2),
        Case("three tokens a chunk", {"chunk_s": [2.0, 2.3, 2.6], "output_tokens": 7}, 0.1),
        Case("late start", {"chunk_s": [9.0, 9.5], "output_tokens": 6}, 0.1),
        Case("a single token", {"chunk_s": [1.0], "output_tokens": 1}, None, hint="There is no token after the first."),
    ),
)

ITL = Exercise(
    id="ex4-itl",
    title="inter-token latency: the gaps, pooled",
    function="itl_gaps_s",
    hint="Gaps lie inside a request. Pooled means one list of all gaps, not one number a request.",
    cases=(
        Case("one request", {"requests": [[1.0, 1.1, 1.3]]}, [0.1, 0.2]),
        Case("two requests", {"requests": [[1.0, 1.1], [5.0, 5.3, 5.4]]}, [0.1, 0.3, 0.1]),
        Case("overlapping", {"requests": [[1.0, 2.0, 4.0], [1.5, 1.75]]}, [1.0, 2.0, 0.25]),
        Case("one chunk, none", {"requests": [[1.0], []]}, []),
    ),
)

PERCENTILE = Exercise(
    id="ex5-percentile",
    title="percentile",
    function="percentile",
    hint="The position in the sorted list is percent / 100 x (n - 1); between two values, go part of the way.",
    cases=(
        Case("median of four", {"values": [4.0, 1.0, 3.0, 2.0], "percent": 50}, 2.5, hint="It lies between 2 and 3."),
        Case("p90 of five", {"values": [50.0, 10.0, 20.0, 40.0, 30.0], "percent": 90}, 46.0),
        Case("p99 of three", {"values": [0.1, 0.2, 1.2], "percent": 99}, 1.18),
        Case("p100", {"values": [3.0, 9.0, 5.0], "percent": 100}, 9.0),
        Case("one value", {"values": [7.0], "percent": 90}, 7.0),
    ),
)

THROUGHPUT = Exercise(
    id="ex6-throughput",
    title="output tokens per second of a run",
    function="output_tokens_per_s",
    hint="All tokens that arrived, over the time in which the run had them: one number, not a mean of many.",
    cases=(
        Case("one after another", {"requests": [done(0.0, 1.0, 50), done(1.0, 2.0, 50)]}, 50.0),
        Case("side by side", {"requests": [done(0.0, 2.0, 50), done(0.0, 2.0, 50)]}, 50.0),
        Case("staggered", {"requests": [done(5.0, 7.0, 60), done(6.0, 9.0, 60), done(6.5, 8.0, 40)]}, 40.0),
        Case(
            "one failed",
            {"requests": [done(0.0, 2.0, 80), done(0.0, 1.0, 30, error="HTTP 500")]},
            40.0,
            hint="Nobody can use the tokens of an answer that broke off.",
        ),
    ),
)

GOODPUT = Exercise(
    id="ex7-goodput",
    title="goodput under an objective",
    function="goodput_per_s",
    hint="A request counts if it succeeded and kept every bound, each by its own times.",
    cases=(
        Case(
            "all good",
            {
                "requests": [timed(0.0, 0.2, 0.69, 11), timed(0.5, 0.7, 1.99, 11)],
                "ttft_limit_s": 0.3,
                "tpot_limit_s": 0.2,
            },
            1.0,
        ),
        Case(
            "one starts late",
            {
                "requests": [timed(0.0, 0.1, 1.0, 11), timed(0.0, 0.9, 1.99, 11)],
                "ttft_limit_s": 0.5,
                "tpot_limit_s": 0.2,
            },
            0.5,
            hint="The mean TTFT is within the bound; one request is not.",
        ),
        Case(
            "one is slow",
            {
                "requests": [timed(0.0, 0.1, 0.6, 11), timed(0.0, 0.1, 3.99, 11)],
                "ttft_limit_s": 0.5,
                "tpot_limit_s": 0.2,
            },
            0.25,
        ),
        Case(
            "one failed",
            {
                "requests": [
                    timed(2.0, 2.1, 2.6, 11),
                    timed(2.0, 2.1, 2.2, 11, error="dropped"),
                    timed(3, 3.1, 3.99, 9),
                ],
                "ttft_limit_s": 0.5,
                "tpot_limit_s": 0.2,
            },
            1.0,
        ),
    ),
)

PREFILL = Exercise(
    id="ex8-prefill-line",
    title="prefill rate apart from the overhead",
    function="prefill_line",
    hint="Lay a straight line through the points: what does its slope say, and where does it meet zero tokens?",
    cases=(
        Case(
            "exact line",
            {"prompt_tokens": [100, 300, 500], "ttft_s": [0.15, 0.25, 0.35]},
            {"overhead_s": 0.1, "tokens_per_s": 2000.0},
        ),
        Case(
            "no overhead",
            {"prompt_tokens": [100, 200, 400], "ttft_s": [0.1, 0.2, 0.4]},
            {"overhead_s": 0.0, "tokens_per_s": 1000.0},
        ),
        Case(
            "scatter",
            {"prompt_tokens": [100, 200, 300, 400], "ttft_s": [0.07, 0.13, 0.15, 0.21]},
            {"overhead_s": 0.03, "tokens_per_s": 100 / 0.044},
        ),
    ),
    relative_tolerance=1e-4,
    absolute_tolerance=1e-6,
)


def point(concurrency: int, output_tokens_per_s: float, e2e_p50_s: float, valid: bool = True) -> dict[str, Any]:
    """A point of the knee's cases."""
    return {
        "concurrency": concurrency,
        "output_tokens_per_s": output_tokens_per_s,
        "e2e_p50_s": e2e_p50_s,
        "valid": valid,
    }


KNEE = Exercise(
    id="ex9-knee",
    title="knee of a concurrency sweep",
    function="knee",
    hint="For each point that may be believed: what it yields, divided by what its users wait. Where is that greatest?",
    cases=(
        Case(
            "flattens",
            {
                "points": [
                    point(1, 100.0, 1.0),
                    point(2, 190.0, 1.05),
                    point(4, 340.0, 1.2),
                    point(8, 400.0, 2.0),
                    point(16, 420.0, 4.0),
                ]
            },
            4,
        ),
        Case(
            "gains nothing, unsorted",
            {"points": [point(4, 106.0, 3.8), point(1, 100.0, 1.0), point(2, 105.0, 1.9)]},
            1,
            hint="Six per cent more text for four times the wait is no bargain.",
        ),
        Case(
            "the fastest point is not valid",
            {"points": [point(1, 100.0, 1.0), point(4, 300.0, 1.3), point(8, 900.0, 0.5, valid=False)]},
            4,
            hint="A point with failed requests may look fast; what do its figures compare?",
        ),
        Case("nothing valid", {"points": [point(1, 9.0, 1.0, valid=False)]}, None),
    ),
)

SLOWER = (0.8 * 0.8 * 0.9) ** (1 / 3)  # geometric mean of the last case's ratios
HIGHEST = (0.9 * 0.9 * 0.8) ** (1 / 3)  # the highest of its resampled means
RATIO = Exercise(
    id="ex10-paired-ratio",
    title="is it faster? a ratio with its interval",
    function="paired_ratio",
    hint="The ratio of each pair; the mean of their logarithms, and back; the same for each resample.",
    cases=(
        Case(
            "twice as fast",
            {
                "baseline": [10.0, 12.0, 8.0],
                "candidate": [20.0, 24.0, 16.0],
                "resamples": [[0, 1, 2], [0, 0, 1], [2, 2, 2]],
            },
            {"ratio": 2.0, "low": 2.0, "high": 2.0, "shown": True},
        ),
        Case(
            "doubles and halves",
            {
                "baseline": [10.0, 10.0],
                "candidate": [20.0, 5.0],
                "resamples": [[0, 0], [0, 1], [1, 0], [1, 1]],
            },
            {"ratio": 1.0, "low": 0.5 * 2**0.075, "high": 2.0 * 2**-0.075, "shown": False},
            hint="Twice as fast once and half as fast once is no gain: the mean of 2 and 0.5 must be 1.",
        ),
        Case(
            "a slow machine in the middle",
            {
                "baseline": [100.0, 40.0, 100.0, 100.0],
                "candidate": [110.0, 44.0, 121.0, 110.0],
                "resamples": [[0, 1, 2, 3], [0, 0, 1, 3], [2, 2, 2, 3], [1, 1, 0, 2], [3, 3, 3, 1]],
            },
            {"ratio": 1.1**1.25, "low": 1.1, "high": 1.1**1.7, "shown": True},
            hint="Pairs were measured together: the slow minute hit both sides.",
        ),
        Case(
            "slower",
            {
                "baseline": [50.0, 60.0, 70.0],
                "candidate": [40.0, 48.0, 63.0],
                "resamples": [[0, 1, 2], [0, 0, 1], [2, 2, 1]],
            },
            {"ratio": SLOWER, "low": 0.8**0.95 * SLOWER**0.05, "high": HIGHEST**0.95 * SLOWER**0.05, "shown": True},
            hint="Slower is a difference too: on which side of which number must the interval lie?",
        ),
    ),
    relative_tolerance=1e-5,
)

CEILING = Exercise(
    id="ex11-decode-ceiling",
    title="the decode ceiling of memory",
    function="decode_ceiling_tokens_per_s",
    hint="How many bytes does one step move, and how many tokens does one step give?",
    cases=(
        Case(
            "8 B in FP8 on a Spark",
            {"bandwidth_gb_per_s": 273.0, "weights_gb": 8.0, "kv_gb_per_sequence": 0.0, "batch": 1},
            34.125,
        ),
        Case(
            "32 sequences",
            {"bandwidth_gb_per_s": 273.0, "weights_gb": 8.0, "kv_gb_per_sequence": 0.0, "batch": 32},
            1092.0,
            hint="The weights are read once a step, whoever needs them.",
        ),
        Case(
            "long contexts",
            {"bandwidth_gb_per_s": 200.0, "weights_gb": 8.0, "kv_gb_per_sequence": 0.5, "batch": 4},
            80.0,
            hint="Each sequence has keys and values of its own.",
        ),
        Case(
            "one long context",
            {"bandwidth_gb_per_s": 100.0, "weights_gb": 4.0, "kv_gb_per_sequence": 1.0, "batch": 1},
            20.0,
        ),
    ),
)

PLAUSIBLE = Exercise(
    id="ex12-plausible",
    title="is a published figure possible?",
    function="limit_shares",
    hint="Decode reads the active weights for each token; prefill does two operations a weight and token.",
    cases=(
        Case(
            "dense, possible",
            {
                "figure": {
                    "active_parameters": 8e9,
                    "bytes_per_weight": 1.0,
                    "prefill_tokens_per_s": 7991.0,
                    "decode_tokens_per_s": 20.5,
                },
                "machine": {"bytes_per_s": 273e9, "flops_per_s": 250e12, "count": 1},
            },
            {"prefill": 0.511424, "decode": 0.6007326, "impossible": []},
        ),
        Case(
            "prefill beyond the chip",
            {
                "figure": {
                    "active_parameters": 7e9,
                    "bytes_per_weight": 0.5625,
                    "prefill_tokens_per_s": 65831.77,
                    "decode_tokens_per_s": 41.71,
                },
                "machine": {"bytes_per_s": 273e9, "flops_per_s": 500e12, "count": 1},
            },
            {"prefill": 1.84328956, "decode": 0.6015865, "impossible": ["prefill"]},
        ),
        Case(
            "two machines share the work",
            {
                "figure": {
                    "active_parameters": 22e9,
                    "bytes_per_weight": 0.5625,
                    "prefill_tokens_per_s": 20000.0,
                    "decode_tokens_per_s": 11.73,
                },
                "machine": {"bytes_per_s": 273e9, "flops_per_s": 500e12, "count": 2},
            },
            {"prefill": 0.88, "decode": 0.2658585165, "impossible": []},
            hint="Two machines have twice the bandwidth and twice the arithmetic.",
        ),
        Case(
            "both beyond",
            {
                "figure": {
                    "active_parameters": 70e9,
                    "bytes_per_weight": 2.0,
                    "prefill_tokens_per_s": 1000.0,
                    "decode_tokens_per_s": 3.9,
                },
                "machine": {"bytes_per_s": 273e9, "flops_per_s": 100e12, "count": 1},
            },
            {"prefill": 1.4, "decode": 2.0, "impossible": ["decode", "prefill"]},
            hint="Name every impossible rate, in alphabetical order.",
        ),
    ),
    relative_tolerance=1e-5,
)

ROWS: list[dict[str, Any]] = [
    {"name": "A", "prefill": 4000.0, "decode": 30.0, "ttft_p99_s": 0.9, "valid": True},
    {"name": "B", "prefill": 2500.0, "decode": 55.0, "ttft_p99_s": 0.4, "valid": True},
    {"name": "C", "prefill": 3000.0, "decode": 50.0, "ttft_p99_s": 0.2, "valid": True},
    {"name": "D", "prefill": 9000.0, "decode": 99.0, "ttft_p99_s": 0.1, "valid": False},
]

CHOICE = Exercise(
    id="ex13-choice",
    title="which engine for which need",
    function="choose",
    hint="First leave out what may not be chosen, then take the best of what is left, by the need's own figure.",
    cases=(
        Case("long documents in", {"rows": ROWS, "need": {"rate": "prefill", "ttft_limit_s": None}}, "A"),
        Case("long answers out", {"rows": ROWS, "need": {"rate": "decode", "ttft_limit_s": None}}, "B"),
        Case(
            "chat that starts at once",
            {"rows": ROWS, "need": {"rate": "decode", "ttft_limit_s": 0.3}},
            "C",
            hint="The fastest may start too late.",
        ),
        Case(
            "nothing is quick enough",
            {"rows": ROWS, "need": {"rate": "decode", "ttft_limit_s": 0.15}},
            None,
            hint="A run that is not valid cannot be the answer; sometimes nothing is.",
        ),
    ),
)


COURSE_ENGINES = ("llama.cpp", "vllm", "sglang", "tensorrt-llm", "ollama")
EXACT = 1e-6
"""Relative difference allowed between a figure in the evidence and the same figure computed from the records."""


def judge_report(evidence: Evidence) -> Verdict:
    """Reached if the comparison can be made again from the raw records, and nothing in it is wrong or missing.

    The evidence is {"bundles": [folder], "rows": [a row for each configuration and engine], "ratios": [{"bundle",
    "label", "ratio": [estimate, low, high]}]}.
    """
    try:
        bundles = {name: evidence.bundle(name) for name in evidence.data["bundles"]}
    except CourseError as error:
        return not_reached(error.what)
    runs = [run for bundle in bundles.values() for run in bundle.runs]
    for run in runs:
        if run.metrics.errors or not run.valid:
            return not_reached(f"{run.target.name}, {run.label}: {run.notes[0].text}")
    computed = {row.variant + row.model: row for row in engine_rows(group_runs(runs))}
    configurations = sorted(name for name, row in computed.items() if not row.state.startswith("not-run"))
    if len(configurations) < 2:
        measured = ", ".join(configurations) or "none"
        return not_reached(f"a comparison needs two configurations of engine or precision, measured: {measured}")
    return (
        _rows_problem(evidence.data["rows"], computed)
        or _ratios_problem(evidence.data["ratios"], bundles)
        or reached(configurations=configurations, requests=sum(len(run.records) for run in runs))
    )


def _rows_problem(rows: list[dict[str, Any]], computed: dict[str, EngineRow]) -> Verdict | None:
    """Every engine of the course accounted for, and every figure as the records give it."""
    missing = [engine for engine in COURSE_ENGINES if engine not in [row["engine"] for row in rows]]
    if missing:
        return not_reached(f"the table has no row for {', '.join(missing)}, neither measured nor not-run")
    for row in rows:
        name = row["variant"] + row["model"]
        if name not in computed:
            return not_reached(f"the table has a row for {row['variant']} {row['model']}, the records do not")
        for figure in ("ttft_s", "tpot_s", "prefill_tokens_per_s", "output_tokens_per_s"):
            told, found = row[figure], getattr(computed[name], figure)
            if (told is None) != (found is None) or (found and abs(told / found - 1) > EXACT):
                return not_reached(
                    f"{row['variant']} {row['model']}: {figure} is {told} in the table, {found} by the records"
                )
        if not row["state"].startswith(("measured", "recorded", "not-run: needs ")):
            return not_reached(
                f"{row['variant']} {row['model']} is neither measured, recorded, nor not-run: {row['state']}"
            )
    return None


def _ratios_problem(ratios: list[dict[str, Any]], bundles: dict[str, Bundle]) -> Verdict | None:
    """Each compared configuration has a ratio with an interval, as the records give it."""
    told = {(entry["bundle"], entry["label"]): entry["ratio"] for entry in ratios}
    comparisons = {name: Comparison(bundle.runs) for name, bundle in bundles.items() if bundle.kind == "comparison"}
    if not comparisons:
        return not_reached("no bundle holds an interleaved comparison, so no difference has an interval")
    for name, comparison in comparisons.items():
        for run in comparison.runs[1:]:
            try:
                interval = comparison.ratio(run.label)
            except UsageError as error:
                return not_reached(f"{name}: {error.what}")
            found = [interval.estimate, interval.low, interval.high]
            given = told.get((name, run.label))
            if given is None:
                return not_reached(f"{name}: {run.label} has no ratio with an interval")
            if any(abs(one / other - 1) > EXACT for one, other in zip(given, found, strict=True)):
                return not_reached(
                    f"{name}: the ratio of {run.label} is {given} in the evidence, {found} by the records"
                )
    return None


TASK = Task(
    title="Engine benchmark",
    minutes=180,
    gpu_minutes=90,
    needs="2 cores, 2 GB of memory; no GPU",
    exercises=(
        TTFT,
        OUTPUT_TOKENS,
        TPOT,
        ITL,
        PERCENTILE,
        THROUGHPUT,
        GOODPUT,
        PREFILL,
        KNEE,
        RATIO,
        CEILING,
        PLAUSIBLE,
        CHOICE,
    ),
    milestones=(
        Milestone(
            "12.1.report",
            "comprehensive comparison report",
            judge_report,
            needs="an engine that can run on this machine",
        ),
    ),
)
