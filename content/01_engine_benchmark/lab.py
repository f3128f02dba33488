# %% [markdown] id="intro"
# # Lab 12.1: Engine benchmark
#
# **You will** write the figures of an engine benchmark yourself, from raw time stamps; measure a server with them;
# and answer one question of your own with a comparison that somebody else can check.
#
# **It takes** 3 hours, the first two parts about 2; 2 cores, 2 GB of memory, no GPU. The guided notebook
# `notebooks/01_engine_benchmark.ipynb` explains every figure that you write here; read it first, or beside this lab.
#
# **You should know** Python's lists, dictionaries and functions, and what a streamed answer is.
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | seven figures from time stamps (exercises 1 to 7) | 60 |
# | 2 | a sweep, a knee, a fair comparison (exercises 8 to 10), the report | 60 |
# | 3, further | limits, published figures, a choice (exercises 11 to 13) | 60 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. The checks look at what your function returns, so write
# it any way you like. `./course check 1` checks all exercises at once; the full answers are in `solutions/`.

# %% id="setup"
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="part-1"
# ## Part 1: figures from time stamps
# A request and its streamed answer, as a client sees them:
#
# ```text
# sent_s      role      "A KV"     " cache keeps"   " keys."        end      done_s
#   |----------|----------|-------------|--------------|--------------|----------|
#   |<------ TTFT ------->|<--- gap --->|<--- gap ---->|
# ```
#
# As JSON that is `{"sent_s", "events": [{"at_s", "delta"}, ...], "usage", "done_s"}`, all times in seconds of one
# clock. A `delta` may hold `content` (words of the answer), `reasoning_content` (hidden thinking), both, or neither.

# %% [markdown] id="ex1-text"
# ### Exercise 1: time to first token
# The user waits from sending until the first token, whether it is an answer's or a thought's. Return `None` if there
# was none.


# %% id="ex1-ttft"
def ttft_s(request: dict[str, Any]) -> float | None:
    """Seconds from sending a request to its first event that carries words of the model."""
    ### BEGIN SOLUTION find the first event with words, and subtract the time of sending
    for event in request["events"]:
        if event["delta"].get("content") or event["delta"].get("reasoning_content"):
            return event["at_s"] - request["sent_s"]
    return None
    ### END SOLUTION


# %% id="check-ex1-ttft"
helpers.check("ex1-ttft", ttft_s)

# %% [markdown] id="ex2-text"
# ### Exercise 2: how many tokens?
# The text is in front of you, so counting seems easy. Who knows the true number? Return `None` if nobody told you.


# %% id="ex2-output-tokens"
def output_tokens(request: dict[str, Any]) -> int | None:
    """Tokens generated for this request, hidden thinking included; None if that is not known."""
    ### BEGIN SOLUTION take the count from the one who knows it
    return request["usage"]["completion_tokens"] if request["usage"] else None
    ### END SOLUTION


# %% id="check-ex2-output-tokens"
helpers.check("ex2-output-tokens", output_tokens)

# %% [markdown] id="ex3-text"
# ### Exercise 3: time per output token
# TPOT is one value for each request: how long a token took, once the first had come. `chunk_s` holds the arrival of
# each chunk with words; a chunk may carry several tokens.


# %% id="ex3-tpot"
def tpot_s(chunk_s: list[float], output_tokens: int) -> float | None:
    """Seconds per output token after the first; None if there is no token after the first."""
    ### BEGIN SOLUTION divide the time from first to last chunk by the tokens after the first
    if output_tokens < 2:
        return None
    return (chunk_s[-1] - chunk_s[0]) / (output_tokens - 1)
    ### END SOLUTION


# %% id="check-ex3-tpot"
helpers.check("ex3-tpot", tpot_s)

# %% [markdown] id="ex4-text"
# ### Exercise 4: inter-token latency
# ITL looks at every gap between two consecutive chunks. A stall in the middle of an answer hardly shows in its TPOT,
# but is plain to see among the gaps of all requests.


# %% id="ex4-itl"
def itl_gaps_s(requests: list[list[float]]) -> list[float]:
    """All gaps between consecutive chunks, request after request.

    Args:
        requests: for each request, when its chunks arrived.
    """
    ### BEGIN SOLUTION collect the gaps inside each request in one list
    from itertools import pairwise

    return [later - earlier for chunk_s in requests for earlier, later in pairwise(chunk_s)]
    ### END SOLUTION


# %% id="check-ex4-itl"
helpers.check("ex4-itl", itl_gaps_s)

# %% [markdown] id="ex5-text"
# ### Exercise 5: percentile
# A mean hides the worst waits. The p90 is the value that 90 % of the requests do not exceed. Sort; go to the position
# `percent / 100 * (n - 1)`, counted from 0; where it lies between two values, go that part of the way from one to the
# other. (Write it once by yourself; use a library from then on.)


# %% id="ex5-percentile"
def percentile(values: list[float], percent: float) -> float:
    """The percentile of the values, by linear interpolation; percent is between 0 and 100."""
    ### BEGIN SOLUTION sort, find the position, and interpolate between its two neighbours
    ordered = sorted(values)
    position = percent / 100 * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
    ### END SOLUTION


# %% id="check-ex5-percentile"
helpers.check("ex5-percentile", percentile)

# %% [markdown] id="ex6-text"
# ### Exercise 6: throughput
# From here on the run counts, not the request: how many output tokens did the server give all users together, per
# second, from the first request sent to the last answer ended? An `error` that is not empty means a failed request.


# %% id="ex6-throughput"
def output_tokens_per_s(requests: list[dict[str, Any]]) -> float:
    """Output tokens of the successful requests, per second of the run.

    Args:
        requests: each {"sent_s", "done_s", "output_tokens", "error"}.
    """
    ### BEGIN SOLUTION divide the tokens that arrived by the length of the run
    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return sum(r["output_tokens"] for r in requests if not r["error"]) / duration_s
    ### END SOLUTION


# %% id="check-ex6-throughput"
helpers.check("ex6-throughput", output_tokens_per_s)

# %% [markdown] id="ex7-text"
# ### Exercise 7: goodput
# Throughput also counts the tokens that came too late. Goodput counts the requests that kept the promise: success, a
# first token in time, and a time per output token within its bound.


# %% id="ex7-goodput"
def goodput_per_s(requests: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float) -> float:
    """Requests per second of the run that succeeded and kept both bounds.

    Args:
        requests: each {"sent_s", "first_s", "last_s", "done_s", "output_tokens", "error"}.
    """

    def is_good(r: dict[str, Any]) -> bool:
        ### BEGIN SOLUTION say whether this request succeeded and kept both bounds
        tpot_s = (r["last_s"] - r["first_s"]) / (r["output_tokens"] - 1)
        return not r["error"] and r["first_s"] - r["sent_s"] <= ttft_limit_s and tpot_s <= tpot_limit_s
        ### END SOLUTION

    duration_s = max(r["done_s"] for r in requests) - min(r["sent_s"] for r in requests)
    return sum(is_good(r) for r in requests) / duration_s


# %% id="check-ex7-goodput"
helpers.check("ex7-goodput", goodput_per_s)

# %% [markdown] id="first-run-text"
# ### Your figures on a real server
# Now apply your functions to a real run: 16 requests, four at a time. Yours and the library's should agree.

# %% id="first-run"
server = helpers.launch(engine, model, max_num_seqs=8)
run = helpers.measure(server, helpers.unique_prompts(64, 32, seed=seed), helpers.ClosedLoop(4), requests=16)
print(server.backend)

# %% id="own-figures"
answered = [record for record in run.records if record.ok and record.chunk_s]
as_json = [
    {"sent_s": r.sent_s, "done_s": r.done_s, "output_tokens": r.usage.output_tokens, "error": r.error} for r in answered
]
# The end of an answer counts: its last tokens may have no text, and then no chunk of their own.
tpots_s = [tpot_s([*r.chunk_s, r.finish_s or r.chunk_s[-1]], r.usage.output_tokens) for r in answered]
gaps_s = itl_gaps_s([r.chunk_s for r in answered])
metrics = run.metrics
helpers.table(
    [
        {"figure": "output tokens/s", "yours": output_tokens_per_s(as_json), "library": metrics.output_tokens_per_s},
        {"figure": "TPOT p50, ms", "yours": percentile(tpots_s, 50) * 1000, "library": metrics.tpot_s.p50 * 1000},
        {"figure": "ITL p99, ms", "yours": percentile(gaps_s, 99) * 1000, "library": metrics.itl_s.p99 * 1000},
    ]
)

# %% [markdown] id="part-2"
# ## Part 2: measure and compare
# Guess first, before anything is measured. After how many milliseconds does the first token of a 512-token prompt come?
# At how many streams is the knee? And how many times the output rate of `f32` does `q8_0` give to one user? (If your
# own question, at the end of this part, will be another one, guess its ratio.)


# %% id="guesses"
def my_guesses() -> dict[str, float]:
    """Three guesses, made before measuring."""
    ### BEGIN SOLUTION return your numbers under the keys ttft_ms, knee and ratio
    return {"ttft_ms": 150.0, "knee": 4, "ratio": 2.0}
    ### END SOLUTION


guesses = my_guesses()

# %% [markdown] id="ex8-text"
# ### Exercise 8: the prefill rate
# TTFT holds more than prefill: network, scheduling, one sampled token. These hardly grow with the prompt. So measure
# several lengths and fit a straight line: its value at zero tokens is the overhead, and its slope the seconds that each
# prompt token adds.


# %% id="ex8-prefill-line"
def prefill_line(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    """Fit TTFT = overhead + tokens / rate by least squares.

    Returns:
        {"overhead_s": seconds, "tokens_per_s": prompt tokens computed a second}
    """
    ### BEGIN SOLUTION fit a straight line and turn its slope into a rate
    slope, intercept = np.polyfit(prompt_tokens, ttft_s, 1)
    return {"overhead_s": float(intercept), "tokens_per_s": float(1 / slope)}
    ### END SOLUTION


# %% id="check-ex8-prefill-line"
helpers.check("ex8-prefill-line", prefill_line)

# %% id="measure-lengths"
lengths = [64, 256, 512]
length_runs = [
    helpers.measure(server, helpers.unique_prompts(length, 16, seed=seed), helpers.ClosedLoop(1), requests=3)
    for length in lengths
]
ttfts_s = [run.metrics.ttft_s.p50 for run in length_runs]
line = prefill_line(lengths, ttfts_s)
print(f"prefill {line['tokens_per_s']:,.0f} tokens/s, overhead {line['overhead_s'] * 1000:.1f} ms")
print(f"TTFT at 512 tokens: guessed {guesses['ttft_ms']:.0f} ms, measured {ttfts_s[-1] * 1000:.0f} ms")

# %% [markdown] id="ex9-text"
# ### Exercise 9: the knee
# More users at once give more tokens a second, up to a point; beyond it, everybody mostly waits longer. A rule by which
# two people find the same point: the knee is the load of greatest *power*, throughput divided by latency (Kleinrock,
# 1979).


# %% id="ex9-knee"
def knee(points: list[dict[str, Any]]) -> int | None:
    """The concurrency of greatest throughput / latency; None if no point is valid.

    Args:
        points: each {"concurrency", "output_tokens_per_s", "e2e_p50_s", "valid"}; only valid ones count.
    """
    ### BEGIN SOLUTION compare throughput / latency of the valid points
    valid = [point for point in points if point["valid"]]
    best = max(valid, key=lambda point: point["output_tokens_per_s"] / point["e2e_p50_s"], default=None)
    return best["concurrency"] if best else None
    ### END SOLUTION


# %% id="check-ex9-knee"
helpers.check("ex9-knee", knee)

# %% id="measure-load"
sweep_folder = helpers.new_folder(run_dir, "bundle-load")
sweep = helpers.sweep(
    server, helpers.unique_prompts(64, 40, seed=seed), [1, 2, 4, 8], requests=8 if quick else 32, out=sweep_folder
)
points = [run.point() for run in sweep.runs]
own_points = [{**point, "e2e_p50_s": point["e2e_s"]["p50"]} for point in points if point["e2e_s"]]
print(f"knee: guessed {guesses['knee']} streams, measured {knee(own_points)}")
helpers.load_curves({f"{server.engine} {server.precision}": points})

# %% [markdown] id="ex10-text"
# ### Exercise 10: faster, or lucky?
# Two servers are measured in turn, again and again: pair i was measured at nearly the same time, so what disturbed
# one disturbed the other. For each pair take candidate / baseline, and average the ratios as logarithms (then twice
# and half make 1). How sure is that mean? Draw pairs with repetition, many times, and look at how the mean moves: this
# is the bootstrap. Each list in `resamples` holds the pair numbers of one draw.


# %% id="ex10-paired-ratio"
def paired_ratio(baseline: list[float], candidate: list[float], resamples: list[list[int]]) -> dict[str, Any]:
    """Candidate / baseline over pairs, with the 2.5 and 97.5 percentiles of the resampled means.

    Returns:
        {"ratio", "low", "high", "shown"}: shown is True if the interval does not contain 1.
    """
    ### BEGIN SOLUTION average the logarithms of the ratios, of all and of each resample
    logs = np.log(np.array(candidate) / np.array(baseline))
    means = [logs[rows].mean() for rows in resamples]
    low, high = (float(np.exp(value)) for value in np.percentile(means, [2.5, 97.5]))
    return {"ratio": float(np.exp(logs.mean())), "low": low, "high": high, "shown": not low <= 1 <= high}
    ### END SOLUTION


# %% id="check-ex10-paired-ratio"
helpers.check("ex10-paired-ratio", paired_ratio)

# %% [markdown] id="question-text"
# ### Your own question
# Ask one question that this machine can answer: two precisions of one engine, or two engines at one precision
# (`{"engine": "vllm", "precision": "f32"}` where it is installed). The two may differ in one thing only, and it must be
# the engine or the precision: by these the report names its rows. Then choose the load that the question is about: one
# user or several, short prompts or long ones.


# %% id="question"
def my_configurations() -> dict[str, dict[str, Any]]:
    """Name -> options of `helpers.launch`; the first is the baseline. Without "engine" it is the notebook's."""
    ### BEGIN SOLUTION return two configurations, such as a baseline with precision f32 and another
    other = "q8_0" if server.engine == "llama.cpp" else "bf16"
    return {"f32": {"precision": "f32"}, other: {"precision": other}}
    ### END SOLUTION


def my_load() -> tuple[int, int, int]:
    """Streams, prompt tokens and output tokens of the load that the question is about."""
    ### BEGIN SOLUTION return three whole numbers
    return 1, 64, 48
    ### END SOLUTION


# %% id="compare"
streams, tokens_in, tokens_out = my_load()
folder = helpers.new_folder(run_dir, "bundle-question")
servers = {
    name: helpers.launch(**{"engine": engine, "model": model, "beside": True, "max_num_seqs": 8, **options})
    for name, options in my_configurations().items()
}
result = helpers.compare(
    servers,
    helpers.unique_prompts(tokens_in, tokens_out, seed=seed),
    helpers.ClosedLoop(streams),
    requests=2 * streams,
    repeats=5 if quick else 10,
    out=folder,
)
for one in servers.values():
    one.stop()

# %% id="own-ratio"
rates = {run.label: [metrics.output_tokens_per_s for metrics in run.repeat_metrics] for run in result.runs}
baseline, candidate = list(rates)[:2]
pairs = len(rates[baseline])
resamples = np.random.default_rng(seed).integers(0, pairs, (2000, pairs)).tolist()
own = paired_ratio(rates[baseline], rates[candidate], resamples)
interval = result.ratio(candidate)
print(f"{candidate} / {baseline}: {own['ratio']:.2f}, yours {own['low']:.2f} to {own['high']:.2f}")
print(f"the library's interval: {interval.low:.2f} to {interval.high:.2f}; guessed {guesses['ratio']:.2f}")

# %% [markdown] id="wider-text"
# The library's interval is wider: with few repeats the plain bootstrap gives intervals that are too narrow, and the
# library corrects for that (Hesterberg, 2015).
#
# ### Your conclusion
# One or two sentences that follow from the numbers, for somebody who has to decide. Name the load. If no difference was
# shown, say so.


# %% id="conclusion"
def my_conclusion(ratio: dict[str, Any]) -> str:
    """What follows from the comparison; stands in your report."""
    ### BEGIN SOLUTION write your conclusion; make it follow from ratio, not from memory
    if not ratio["shown"]:
        return f"No difference in output rate between {candidate} and {baseline} was shown."
    more = "faster" if ratio["ratio"] > 1 else "slower"
    return (
        f"{candidate} is {more} than {baseline}: {ratio['ratio']:.2f} times the output rate "
        f"({ratio['low']:.2f} to {ratio['high']:.2f}), {streams} stream(s), {tokens_in} tokens in, {tokens_out} out."
    )
    ### END SOLUTION


conclusion = my_conclusion(own)
print(conclusion)

# %% [markdown] id="report-text"
# ### The report
# One page to hand on. It is made from the raw records and has a row for every engine of the course, measured or
# not-run.

# %% id="report"
names = [sweep_folder.name, folder.name]
read = [(Path(name), helpers.load_bundle(run_dir / name)) for name in names]
said = helpers.Section("Conclusion", conclusion)
report = helpers.build_report(read, title="Engine benchmark: my comparison", more=[said])
html, markdown = helpers.write_report(report, run_dir)
backend = server.backend
server.stop()
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="part-3"
# ## Part 3, further: limits and choices
# The milestone at the end needs nothing of this part; you may jump to it.

# %% [markdown] id="ex11-text"
# ### Exercise 11: the decode ceiling
# To give every sequence its next token, a step reads all weights once, and each sequence's own keys and values. No
# engine can do that faster than the memory delivers.


# %% id="ex11-decode-ceiling"
def decode_ceiling_tokens_per_s(
    bandwidth_gb_per_s: float, weights_gb: float, kv_gb_per_sequence: float, batch: int
) -> float:
    """The most tokens a second, all sequences together, that this memory allows."""
    ### BEGIN SOLUTION divide the tokens of a step by the time its bytes take
    step_s = (weights_gb + batch * kv_gb_per_sequence) / bandwidth_gb_per_s
    return batch / step_s
    ### END SOLUTION


# %% id="check-ex11-decode-ceiling"
helpers.check("ex11-decode-ceiling", decode_ceiling_tokens_per_s)

# %% id="own-ceiling"
limits = helpers.measure_limits(seconds=0.3)
one_user = result.runs[0]
try:
    weights = helpers.model_shape(one_user.target.model).active_parameters
    weights_gb = weights * helpers.bytes_per_weight(one_user.target.precision) / 1e9
except helpers.UsageError as unknown:
    print(f"the size of this model is not known here: {unknown.what}")
else:
    ceiling = decode_ceiling_tokens_per_s(limits.bandwidth_bytes_per_s / 1e9, weights_gb, 0.0, streams)
    reached = streams / one_user.metrics.tpot_s.p50 if one_user.metrics.tpot_s.p50 else None
    print(
        f"{limits.bandwidth_bytes_per_s / 1e9:.1f} GB/s, weights {weights_gb:.3f} GB: at most {ceiling:,.0f} tokens/s"
    )
    print(
        "decode reached", f"{reached:,.0f} tokens/s, {reached / ceiling:.0%}" if reached else "more than could be timed"
    )
    if reached and reached > ceiling:
        print("more than the memory allows: the weights stay in the cache, or the machine was busy while it was timed")

# %% [markdown] id="ex12-text"
# ### Exercise 12: can this figure be true?
# At batch 1, decode is held against the bandwidth (active weights x bytes a weight, for each token), prefill against
# the arithmetic (2 operations an active weight and token). A share above 1 is impossible, whoever published it.


# %% id="ex12-plausible"
def limit_shares(figure: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    """A figure at batch 1 as shares of a machine's limits.

    Args:
        figure: {"active_parameters", "bytes_per_weight", "prefill_tokens_per_s", "decode_tokens_per_s"}.
        machine: {"bytes_per_s", "flops_per_s", "count"}: the limits of one machine, and how many there are.

    Returns:
        {"prefill": share, "decode": share, "impossible": names of the shares above 1, sorted}
    """
    ### BEGIN SOLUTION divide what each rate asks of the machines by what they have
    flops = 2 * figure["active_parameters"] * figure["prefill_tokens_per_s"]
    moved = figure["active_parameters"] * figure["bytes_per_weight"] * figure["decode_tokens_per_s"]
    shares = {
        "decode": moved / (machine["count"] * machine["bytes_per_s"]),
        "prefill": flops / (machine["count"] * machine["flops_per_s"]),
    }
    return {**shares, "impossible": sorted(name for name, share in shares.items() if share > 1)}
    ### END SOLUTION


# %% id="check-ex12-plausible"
helpers.check("ex12-plausible", limit_shares)

# %% [markdown] id="published-text"
# Two figures that NVIDIA published about DGX Spark, for models of 7.6 and 8.0 billion parameters. They are published,
# not measured here. The limit is 500 TFLOP/s in dense FP4: half of the published rate, which counts on sparsity. **Are
# they possible?**

# %% id="published"
spark = helpers.device("gb10")
machine = {"bytes_per_s": spark.bandwidth_bytes_per_s, "flops_per_s": max(spark.flops_per_s["nvfp4"]), "count": 1}
for name, parameters in {"Qwen2.5-VL-7B": 7.6e9, "Llama-3.1-8B": 8.0e9}.items():
    for figure in helpers.published("tensorrt-llm", name):
        told = {"active_parameters": parameters, "bytes_per_weight": helpers.bytes_per_weight(figure.precision)}
        told |= {"prefill_tokens_per_s": figure.prefill_tokens_per_s, "decode_tokens_per_s": figure.decode_tokens_per_s}
        shares = limit_shares(told, machine)
        print(f"{name}: prefill {shares['prefill']:.0%}, decode {shares['decode']:.0%} of the limit", end="; ")
        print("impossible: " + ", ".join(shares["impossible"]) if shares["impossible"] else "possible")

# %% [markdown] id="ex13-text"
# ### Exercise 13: which engine for which need?
# "The best engine" does not exist; the best for a need does. A need names the rate that matters, and may bound the
# p99 of the time to first token.


# %% id="ex13-choice"
def choose(rows: list[dict[str, Any]], need: dict[str, Any]) -> str | None:
    """The name of the row that serves a need best; None if no row may be chosen.

    Args:
        rows: each {"name", "prefill", "decode", "ttft_p99_s", "valid"}; rates in tokens a second.
        need: {"rate": "prefill" or "decode", "ttft_limit_s": seconds or None}.
    """
    ### BEGIN SOLUTION leave out what may not be chosen, then take the best rate
    limit_s = need["ttft_limit_s"]
    fit = [row for row in rows if row["valid"] and (limit_s is None or row["ttft_p99_s"] <= limit_s)]
    return max(fit, key=lambda row: row[need["rate"]])["name"] if fit else None
    ### END SOLUTION


# %% id="check-ex13-choice"
helpers.check("ex13-choice", choose)

# %% id="own-choice"
own_rows = [
    {
        "name": run.label,
        "prefill": tokens_in / run.metrics.ttft_s.p50,
        "decode": run.metrics.output_tokens_per_s,
        "ttft_p99_s": run.metrics.ttft_s.p99,
        "valid": run.valid,
    }
    for run in result.runs
]
for rate in ("prefill", "decode"):
    print(f"best for {rate}:", choose(own_rows, {"rate": rate, "ttft_limit_s": None}))

# %% [markdown] id="milestone-text"
# ## Milestone
# The report counts if it compares at least two configurations, all points are valid and without errors, every
# difference has its interval, and every engine of the course is accounted for. The judge computes it again from your
# raw records.

# %% id="evidence"
runs = [run for _, bundle in read for run in bundle.runs]
evidence = {
    "bundles": names,
    "rows": [asdict(row) for row in helpers.engine_rows(helpers.group_runs(runs))],
    "ratios": [
        {"bundle": folder.name, "label": run.label, "ratio": [found.estimate, found.low, found.high]}
        for run in result.runs[1:]
        for found in [result.ratio(run.label)]
    ],
}

# %% id="milestone-12-1-report"
helpers.milestone("12.1.report", evidence=evidence, run_dir=run_dir, backend=backend)
