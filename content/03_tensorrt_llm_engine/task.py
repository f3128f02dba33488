"""Task 12.3: what is judged. Exercises with their visible cases; the milestones with their judges."""

from statistics import median
from typing import Any

import numpy as np

from helpers.bench.run import Run
from helpers.course.task import Case, Evidence, Exercise, Milestone, Task, Verdict, not_reached, reached
from helpers.errors import CourseError

TINY = {"layers": 1, "hidden": 4, "heads": 2, "kv_heads": 1, "head_size": 2, "intermediate": 8, "vocabulary": 10}
COURSE = {"layers": 6, "hidden": 256, "heads": 4, "kv_heads": 2, "head_size": 64, "intermediate": 704}
COURSE |= {"vocabulary": 2048}
LLAMA = {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "head_size": 128, "intermediate": 14336}
LLAMA |= {"vocabulary": 128256}

FLOPS = Exercise(
    id="ex1-prefill-flops",
    title="operations of a prefill, from the config",
    function="prefill_flops",
    hint="Two operations a weight and token, for the matrices of the layers. What does attention add, and the head?",
    cases=(
        Case("one token", {"shape": TINY, "prompt_tokens": 1}, 384, hint="The head works for the last token alone."),
        Case("ten tokens", {"shape": TINY, "prompt_tokens": 10}, 3_840, hint="Token 3 looks at 3 positions."),
        Case("the course model", {"shape": COURSE, "prompt_tokens": 1024}, 12_285_116_416),
        Case("Llama-3.1-8B", {"shape": LLAMA, "prompt_tokens": 2048}, 29_688_401_494_016),
    ),
    relative_tolerance=1e-9,
)

CROSSING = Exercise(
    id="ex2-crossing",
    title="the prompt whose attention costs as much as its weights",
    function="crossing_tokens",
    hint="Weights: 2 operations a parameter and token. Attention: 4 a layer, head element and position looked at.",
    cases=(
        Case("the course model", {"parameters": 4_423_680, "layers": 6, "heads": 4, "head_size": 64}, 2880.0),
        Case("Llama-3.1-8B", {"parameters": 6_979_321_856, "layers": 32, "heads": 32, "head_size": 128}, 53248.0),
        Case("thin and deep", {"parameters": 1_000_000, "layers": 10, "heads": 2, "head_size": 50}, 1000.0),
    ),
)

SHARE = Exercise(
    id="ex3-share-of-peak",
    title="achieved operations a second, as a share of the peak",
    function="share_of_peak",
    hint="What the user waits is not all arithmetic: the part that does not grow with the prompt comes off first.",
    cases=(
        Case("half", {"flops": 1e10, "ttft_s": 0.25, "overhead_s": 0.05, "peak_flops_per_s": 1e11}, 0.5),
        Case("no overhead", {"flops": 3e12, "ttft_s": 0.5, "overhead_s": 0.0, "peak_flops_per_s": 6e13}, 0.1),
        Case(
            "nothing left",
            {"flops": 1e6, "ttft_s": 0.02, "overhead_s": 0.03, "peak_flops_per_s": 1e11},
            None,
            hint="A prompt so short says nothing about arithmetic.",
        ),
        Case(
            "impossible",
            {"flops": 2e11, "ttft_s": 1.0, "overhead_s": 0.0, "peak_flops_per_s": 1e11},
            2.0,
            hint="A share above 1 is a finding: do not hide it.",
        ),
    ),
)

FIT = Exercise(
    id="ex4-prefill-curve",
    title="linear, then quadratic: the curve of prefill",
    function="prefill_curve",
    hint="Three unknowns: what does not grow, what grows with each token, what grows with each pair of tokens.",
    cases=(
        Case(
            "all three",
            {"prompt_tokens": [100, 200, 400, 800], "ttft_s": [0.03, 0.06, 0.15, 0.45]},
            {"fixed_s": 0.01, "token_s": 1.5e-4, "pair_s": 5e-7},
        ),
        Case(
            "a straight line",
            {"prompt_tokens": [10, 20, 40], "ttft_s": [0.02, 0.03, 0.05]},
            {"fixed_s": 0.01, "token_s": 1e-3, "pair_s": 0.0},
        ),
        Case(
            "pairs alone",
            {"prompt_tokens": [1000, 2000, 3000, 4000], "ttft_s": [0.1, 0.4, 0.9, 1.6]},
            {"fixed_s": 0.0, "token_s": 0.0, "pair_s": 1e-7},
            hint="Four points, three unknowns: use all of them.",
        ),
        Case(
            "with scatter",
            {"prompt_tokens": [0, 100, 200, 300, 400], "ttft_s": [0.02, 0.03, 0.05, 0.07, 0.12]},
            {"fixed_s": 0.15 / 7, "token_s": 8e-5 / 7, "pair_s": 4e-6 / 7},
        ),
    ),
    relative_tolerance=1e-4,
    absolute_tolerance=1e-9,
)

TRAP = Exercise(
    id="ex5-cache-trap",
    title="a rate that counts what was not computed",
    function="prefill_rates",
    hint="The time covers the new tokens only. Which count belongs to it, and which one makes an absurd rate?",
    cases=(
        Case("new prompt", {"cached": 0, "computed": 500, "prompt_ms": 250.0}, {"told": 2000.0, "true": 2000.0}),
        Case("asked again", {"cached": 499, "computed": 1, "prompt_ms": 4.0}, {"told": 125000.0, "true": 250.0}),
        Case("long history", {"cached": 900, "computed": 100, "prompt_ms": 50.0}, {"told": 20000.0, "true": 2000.0}),
        Case(
            "no time at all",
            {"cached": 64, "computed": 0, "prompt_ms": 0.0},
            {"told": None, "true": None},
            hint="Without time there is no rate.",
        ),
    ),
)

CHUNKS = Exercise(
    id="ex6-chunks",
    title="a long prompt in pieces, beside others",
    function="chunks",
    hint="A step has room for so many tokens, and everybody who decodes takes one of them first.",
    cases=(
        Case("alone", {"prompt_tokens": 1000, "budget": 512, "decoding": 0}, [512, 488]),
        Case("beside seven", {"prompt_tokens": 100, "budget": 32, "decoding": 7}, [25, 25, 25, 25]),
        Case("with a rest", {"prompt_tokens": 60, "budget": 32, "decoding": 7}, [25, 25, 10], hint="The rest, too."),
        Case("fits at once", {"prompt_tokens": 20, "budget": 64, "decoding": 3}, [20]),
        Case(
            "no room", {"prompt_tokens": 20, "budget": 8, "decoding": 8}, [], hint="Nothing is left of the step for it."
        ),
    ),
)

FILLED = Exercise(
    id="ex7-filled-up",
    title="what a fixed shape computes for nobody",
    function="wasted_share",
    hint="A prompt takes whole runs, and each further token takes a run of its own. The first comes with the prompt.",
    cases=(
        Case("prompt fits exactly", {"prompt_tokens": 512, "output_tokens": 1, "run_tokens": 128}, 0.0),
        Case("a short prompt", {"prompt_tokens": 100, "output_tokens": 1, "run_tokens": 512}, 1 - 100 / 512),
        Case("decoding", {"prompt_tokens": 128, "output_tokens": 11, "run_tokens": 128}, 1 - 138 / (11 * 128)),
        Case("two runs", {"prompt_tokens": 130, "output_tokens": 1, "run_tokens": 128}, 1 - 130 / 256),
        Case("built for decoding", {"prompt_tokens": 40, "output_tokens": 5, "run_tokens": 1}, 0.0),
    ),
)


def engine(name: str, kind: str, tokens: int, **more: Any) -> dict[str, Any]:
    """A built engine of the cases."""
    return {"name": name, "model": "a1", "version": "1.32", "kind": kind, "tokens": tokens, **more}


WANTED = {"model": "a1", "version": "1.32", "tokens": 100}

CHOICE = Exercise(
    id="ex8-usable-engine",
    title="which built engine may be used",
    function="usable_engine",
    hint="Model and version must be the same, the shape must have room; of those, which computes the least?",
    cases=(
        Case("a range", {"built": [engine("r", "range", 512)], "wanted": WANTED}, "r"),
        Case(
            "a fixed shape is dearer",
            {"built": [engine("f", "fixed", 512), engine("r", "range", 512)], "wanted": WANTED},
            "r",
            hint="A fixed shape computes all of its tokens.",
        ),
        Case(
            "too small",
            {"built": [engine("small", "range", 64), engine("large", "fixed", 128)], "wanted": WANTED},
            "large",
            hint="It was built for 64 tokens.",
        ),
        Case(
            "another version",
            {"built": [engine("old", "range", 512, version="1.31"), engine("f", "fixed", 256)], "wanted": WANTED},
            "f",
            hint="Engines are not portable between versions.",
        ),
        Case(
            "another model",
            {"built": [engine("other", "range", 512, model="b2")], "wanted": WANTED},
            None,
            hint="The digest says that the weights are others.",
        ),
        Case("two fixed", {"built": [engine("l", "fixed", 512), engine("m", "fixed", 128)], "wanted": WANTED}, "m"),
        Case(
            "three fixed",
            {
                "built": [engine("m", "fixed", 256), engine("l", "fixed", 512), engine("s", "fixed", 128)],
                "wanted": WANTED,
            },
            "s",
            hint="Each of them computes its whole shape.",
        ),
    ),
)

BREAK_EVEN = Exercise(
    id="ex9-break-even",
    title="when a build has paid for itself",
    function="break_even_requests",
    hint="What does one request save? How many of them make up for the build?",
    cases=(
        Case("ten", {"build_s": 5.0, "prompt_tokens": 1000, "eager_rate": 1000.0, "built_rate": 2000.0}, 10),
        Case(
            "a part counts as a whole",
            {"build_s": 2.1, "prompt_tokens": 300, "eager_rate": 1000.0, "built_rate": 3000.0},
            11,
            hint="After ten requests a part of the build is still unpaid.",
        ),
        Case("no gain", {"build_s": 5.0, "prompt_tokens": 1000, "eager_rate": 2000.0, "built_rate": 2000.0}, None),
        Case("a loss", {"build_s": 5.0, "prompt_tokens": 1000, "eager_rate": 2000.0, "built_rate": 1500.0}, None),
        Case("already built", {"build_s": 0.0, "prompt_tokens": 100, "eager_rate": 10.0, "built_rate": 20.0}, 0),
    ),
)


def figure(name: str, active: float, rate: float, sparks: int = 1) -> dict[str, Any]:
    """A published figure of the cases."""
    return {"name": name, "active_parameters": active, "prefill_tokens_per_s": rate, "sparks": sparks}


IMPOSSIBLE = Exercise(
    id="ex10-impossible",
    title="spot the impossible number",
    function="impossible",
    hint="Two operations for each active weight and token; several machines have several chips.",
    cases=(
        Case(
            "published for a Spark",
            {
                "figures": [
                    figure("Llama-3.1-8B", 8.0e9, 10256.9),
                    figure("Qwen2.5-VL-7B", 7.6e9, 65831.77),
                    figure("gpt-oss-120b", 5.1e9, 1937.5),
                ],
                "dense_flops_per_s": 500e12,
            },
            ["Qwen2.5-VL-7B"],
        ),
        Case(
            "two machines",
            {
                "figures": [figure("A22B", 22e9, 23477.03, 2), figure("A22B, slower", 22e9, 20000.0, 2)],
                "dense_flops_per_s": 500e12,
            },
            ["A22B"],
            hint="Two machines have two chips.",
        ),
        Case(
            "near is possible",
            {"figures": [figure("fast", 8e9, 30000.0), figure("at the peak", 8e9, 31250.0)], "dense_flops_per_s": 5e14},
            [],
            hint="Only what is above the peak is impossible.",
        ),
        Case(
            "sorted",
            {"figures": [figure("z", 8e9, 99999.0), figure("a", 8e9, 88888.0)], "dense_flops_per_s": 5e14},
            ["a", "z"],
            hint="In alphabetical order.",
        ),
    ),
)

AGREEMENT = Exercise(
    id="ex11-agreement",
    title="what a lower precision changed",
    function="agreement",
    hint="After the first other token the two answers have other histories: what comes then is no second mistake.",
    cases=(
        Case(
            "all the same", {"reference": [[1, 2, 3], [4]], "other": [[1, 2, 3], [4]]}, {"answers": 1.0, "tokens": 1.0}
        ),
        Case(
            "one differs late",
            {"reference": [[1, 2, 3, 4], [5, 6]], "other": [[1, 2, 3, 9], [5, 6]]},
            {"answers": 0.5, "tokens": 0.875},
        ),
        Case(
            "alike again by chance",
            {"reference": [[1, 2, 3, 4]], "other": [[1, 9, 3, 4]]},
            {"answers": 0.0, "tokens": 0.25},
            hint="Only what comes before the first difference was the same choice.",
        ),
        Case(
            "one ends early",
            {"reference": [[1, 2, 3, 4]], "other": [[1, 2]]},
            {"answers": 0.0, "tokens": 0.5},
            hint="Ending is a choice too.",
        ),
        Case(
            "one goes on",
            {"reference": [[1, 2]], "other": [[1, 2, 3]]},
            {"answers": 0.0, "tokens": 1.0},
            hint="All tokens of the reference are there, and the answer is another.",
        ),
    ),
)

BUILDS = Exercise(
    id="ex12-still-builds",
    title="does this version still build engines?",
    function="still_builds",
    hint="trtllm-build was removed after 1.3.0rc20. Compare numbers as numbers: rc20 comes before rc100.",
    cases=(
        Case("the last stable line", {"version": "1.2.1"}, True),
        Case("an early candidate", {"version": "1.3.0rc5"}, True, hint="As text, 5 is more than 20."),
        Case("the last that does", {"version": "1.3.0rc20"}, True),
        Case("the first without", {"version": "1.3.0rc22"}, False),
        Case("the final 1.3.0", {"version": "1.3.0"}, False, hint="A final release comes after its candidates."),
        Case("ten is more than three", {"version": "1.10.0"}, False, hint="As text, 1.10 is less than 1.3."),
        Case("a line later", {"version": "1.4.0rc1"}, False),
    ),
)

Json = dict[str, Any]

FEWEST_ANSWERS = 5
MOST_CHANGED = 0.05
"""Share of greedy answers that may differ from nano's: sums in another order may decide a near tie otherwise."""
FEWEST_REPEATS = 5


def judge_aot(evidence: Evidence) -> Verdict:
    """Reached if an engine was built, loaded without building, answers as nano does, and was timed beside it.

    The evidence is {"engines": [{"precision", "profile", "build_s", "engine_bytes", "state", "load_s"}], "answers":
    {"nano": [[token, ...]], "onnxruntime": [...]}, "prefill_s": {"nano": [...], "onnxruntime": [...]},
    "wrong_profile": {"wanted_tokens", "computed_tokens"}}.
    """
    data = evidence.data
    engines = [row for row in data["engines"] if row["precision"] == "f32"]
    if not engines:
        return not_reached("no float32 engine was built")
    for row in engines:
        if row["state"] != "loaded":
            return not_reached(f"the engine was {row['state']} the second time, not loaded")
        if not row["build_s"] > 0 or not row["engine_bytes"] > 0:
            return not_reached("the build was not timed, or the engine not weighed")
    nano, other = data["answers"]["nano"], data["answers"]["onnxruntime"]
    if len(nano) < FEWEST_ANSWERS or len(nano) != len(other):
        return not_reached(f"{len(nano)} answers of nano beside {len(other)}; asked are {FEWEST_ANSWERS} of both")
    changed = sum(one != two for one, two in zip(nano, other, strict=True))
    if changed > MOST_CHANGED * len(nano):
        return not_reached(f"{changed} of {len(nano)} greedy answers are not nano's")
    times = data["prefill_s"]
    if min(len(times["nano"]), len(times["onnxruntime"])) < FEWEST_REPEATS:
        return not_reached(f"prefill was timed fewer than {FEWEST_REPEATS} times")
    wrong = data["wrong_profile"]
    if wrong["computed_tokens"] <= wrong["wanted_tokens"]:
        return not_reached("no wrong profile was shown: nothing was computed for nobody")
    return reached(
        speedup=median(times["nano"]) / median(times["onnxruntime"]),
        build_s=engines[0]["build_s"],
        computed_for_nobody=1 - wrong["wanted_tokens"] / wrong["computed_tokens"],
    )


FEWEST_LENGTHS = 4
LONGEST_BY_SHORTEST = 8
"""The lengths must span this factor, or nobody can tell a line from a curve."""
HIGHEST_SHARE = 2.0
"""A share of the measured peak above it is no measurement: something was not computed. A busy machine, whose peak was
measured in a bad moment, may be a little above 1."""


def judge_prefill(evidence: Evidence) -> Verdict:
    """Reached if prefill was measured by prompt length, with unique prompts, and held against this machine's peak.

    The evidence is {"points": [{"bundle", "prompt_tokens", "flops"}], "peak_flops_per_s", "curve": {"fixed_s",
    "token_s", "pair_s"}, "share": of the peak at the longest prompt, "trap": {"cached", "computed", "prompt_ms"}}.
    The curve and the share are computed again from the records.
    """
    data = evidence.data
    points = sorted(data["points"], key=lambda point: point["prompt_tokens"])
    lengths = [point["prompt_tokens"] for point in points]
    if len(set(lengths)) < FEWEST_LENGTHS or lengths[-1] < LONGEST_BY_SHORTEST * lengths[0]:
        asked = f"asked are {FEWEST_LENGTHS}, the longest {LONGEST_BY_SHORTEST} times the shortest"
        return not_reached(f"prompt lengths {lengths}; {asked}")
    ttfts_s = []
    for point in points:
        try:
            runs = evidence.bundle(point["bundle"]).runs
        except CourseError as error:
            return not_reached(error.what)
        problem = problem_of(runs[0], point["prompt_tokens"])
        if problem:
            return not_reached(f"{point['bundle']}: {problem}")
        ttfts_s.append(runs[0].metrics.ttft_s.p50)
    pair_s, token_s, fixed_s = (float(value) for value in np.polyfit(lengths, ttfts_s, 2))
    found = {"fixed_s": fixed_s, "token_s": token_s, "pair_s": pair_s}
    for power, (name, value) in enumerate(found.items()):
        # What a wrong coefficient would make of the longest prompt.
        if abs(data["curve"][name] - value) * lengths[-1] ** power > 1e-3 * max(ttfts_s):
            return not_reached(f"{name} is {data['curve'][name]:.3g} there, {value:.3g} by the records")
    share = points[-1]["flops"] / max(1e-9, ttfts_s[-1] - max(0.0, fixed_s)) / data["peak_flops_per_s"]
    if not 0 < share <= HIGHEST_SHARE:
        return not_reached(f"the longest prompt would run at {share:.0%} of the peak, which is impossible")
    if abs(share - data["share"]) > 0.01 * share:
        return not_reached(f"the share of the peak is {data['share']:.1%} there, {share:.1%} by the records")
    trap = data["trap"]
    if trap["cached"] <= trap["computed"]:
        return not_reached("the trap was not sprung: most of the repeated prompt was computed again")
    return reached(share_of_peak=share, **found)


def problem_of(run: Run, prompt_tokens: int) -> str:
    """What forbids a conclusion about prefill; empty if nothing does."""
    if not run.valid:
        return run.notes[0].text
    if not run.workload.unique:
        return "the prompts are not unique"
    for record in run.records:
        if record.usage.prompt_tokens != prompt_tokens:
            return f"a prompt has {record.usage.prompt_tokens} tokens, not {prompt_tokens}"
    return ""


PATHS = ("TensorRT engine built ahead of time", "PyTorch backend, tuned load")


def judge_tensorrt_llm(evidence: Evidence) -> Verdict:
    """Reached if TensorRT-LLM served the model by one of its two paths, with prefill benchmarked and answers checked.

    The evidence is {"path": of `PATHS`, "version", "start_s", "points": as for 12.3.prefill, "answers": {"reference":
    [text], CONFIGURATION: [text]}}; the first configuration's answers are the reference.
    """
    data = evidence.data
    if data["path"] not in PATHS:
        return not_reached(f"the path is {data['path']!r}; it is one of: {'; '.join(PATHS)}")
    if "TensorRT-LLM" not in evidence.backend:
        return not_reached(f"the backend was {evidence.backend}")
    lengths = {point["prompt_tokens"] for point in data["points"]}
    if len(lengths) < FEWEST_LENGTHS - 1:
        return not_reached(f"prefill was measured at {len(lengths)} lengths; asked are {FEWEST_LENGTHS - 1}")
    rates: Json = {}
    for point in data["points"]:
        try:
            run = evidence.bundle(point["bundle"]).runs[0]
        except CourseError as error:
            return not_reached(error.what)
        if run.target.engine != "tensorrt-llm":
            return not_reached(f"{point['bundle']} was measured on {run.target.engine}")
        problem = problem_of(run, point["prompt_tokens"])
        if problem:
            return not_reached(f"{point['bundle']}: {problem}")
        rates[str(point["prompt_tokens"])] = point["prompt_tokens"] / run.metrics.ttft_s.p50
    answers = data["answers"]
    if len(answers) < 2 or any(len(texts) < FEWEST_ANSWERS for texts in answers.values()):
        return not_reached(f"a quality check needs two configurations with {FEWEST_ANSWERS} answers each")
    return reached(path=data["path"], version=data["version"], start_s=data["start_s"], prefill_tokens_per_s=rates)


TASK = Task(
    title="TensorRT-LLM: prefill, and engines built ahead of time",
    minutes=180,
    gpu_minutes=40,
    needs="2 cores, 2 GB of memory; no GPU",
    exercises=(FLOPS, CROSSING, SHARE, FIT, TRAP, CHUNKS, FILLED, CHOICE, BREAK_EVEN, IMPOSSIBLE, AGREEMENT, BUILDS),
    milestones=(
        Milestone(
            "12.3.aot",
            "engine built ahead of time, loaded, and checked against nano",
            judge_aot,
            needs="ONNX Runtime",
        ),
        Milestone(
            "12.3.prefill",
            "prefill measured by prompt length and held against the machine's peak",
            judge_prefill,
            needs="an engine that can run here",
        ),
        Milestone(
            "12.3.tensorrt-llm",
            "TensorRT-LLM run, tested and its prefill benchmarked",
            judge_tensorrt_llm,
            needs="an NVIDIA GPU",
            embedded="not-run",
        ),
    ),
)
