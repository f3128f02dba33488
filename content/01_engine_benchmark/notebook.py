# %% [markdown] id="intro"
# # Task 12.1: Engine benchmark
#
# **After this task you can** say what TTFT, ITL and TPOT of a request are and take them from raw time stamps; find an
# engine's prefill rate, decode rate and knee; compare engines and precisions so that somebody else can check it; and
# say which engine suits which need, with numbers of your own.
#
# **It takes** 3 hours: sections 1 to 7 and the report (11) are the core, 110 minutes; 8 to 10 are marked *further*. It
# needs 2 cores and 2 GB of memory; no GPU. Run unattended, all of it takes a few minutes.
#
# **You should know** what a token is, what an HTTP request is, what quantization does to a model's weights, and enough
# Python to read a list comprehension.
#
# | section | what | minutes |
# |---|---|---|
# | 1, 2 | one request under the clock; four ways to be wrong | 25 |
# | 3, 4, 5 | prefill, decode, many users | 30 |
# | 6, 7 | a fair comparison; which engine for which need | 35 |
# | 8, 9, 10 | further: limits, causes, published figures | 70 |
# | 11 | the report; the milestone; to think about | 20 |

# %% [markdown] id="entry-check"
# ## Before you start
# Three questions. Where your answer differs from the one below, read up on it first.
#
# 1. A model has 8 billion weights. How many gigabytes are they in `f32`, in `bf16` and in `q8_0`?
# 2. You see a text. Can you say how many tokens it has?
# 3. What is `[later - earlier for earlier, later in pairwise([1, 4, 9])]`?
#
# <details><summary>Answers</summary>
#
# 1. 32, 16 and 8.5: four bytes a weight, two bytes, and one byte with a two-byte scale for every 32 weights.
# 2. No. It depends on the tokenizer; the server, which has it, can.
# 3. `[3, 5]`, the gaps between neighbours.
#
# </details>

# %% id="setup"
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from IPython.display import display

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)
report_sections = []  # what the sections below add to the report

# %% [markdown] id="guessing"
# ## How to read this notebook
# Before each measurement you are asked for a guess. Write the number down in its cell (`guess = 40.0`) before you run
# the next one: a guess that was wrong teaches more than a result that was read. Every sentence about a result is made
# from the numbers measured a moment ago, on this machine; what others published is marked so.


# %% [markdown] id="start-text"
# ## Start an engine
# `launch` starts the engine, waits until it answers, and ends it with this notebook. What runs is a real inference
# server with a real (small) language model, made for this course. The first line below says what it is and what it
# computes on, the second how it was started.

# %% id="start"
server = helpers.launch(engine, model, max_num_seqs=16)
print(server.backend)
print(server.plan.shell if server.plan else f"attached to {server.url}")

# %% [markdown] id="engine-panel-text"
# What else could run on this machine, and what does run? *Log* shows an engine's own words.

# %% id="engine-panel"
helpers.EnginePanel()

# %% [markdown] id="s1"
# ## 1. One request under the clock
# Ask a question and keep the time of everything that happens.

# %% id="ask"
for question in ("What is a KV cache?", "What is speculative decoding?", "What is a scheduler?"):
    reply = server.chat(question, max_tokens=48, temperature=0)
    record = reply.record
    if record.coalesced_chunks < len(record.chunk_s) / 2:
        break  # else most of it came in one piece, as on a busy machine; the next question may do better
print(f"{question}\n{reply}")

# %% [markdown] id="stamps-text"
# The answer came as a stream of chunks. These are the raw time stamps, in seconds since the call. Chunks that were read
# together have nearly the same time; section 2 comes back to them.

# %% id="stamps"
print(f"sent at {record.sent_s:.4f} s, ended at {record.done_s:.4f} s, {record.usage.output_tokens} output tokens")
print("chunks at", ", ".join(f"{time_s:.4f}" for time_s in record.chunk_s[:12]), "...")
print(f"{record.coalesced_chunks} of {len(record.chunk_s)} chunks came together with the one before")
if record.coalesced_chunks >= len(record.chunk_s) / 2:
    print("so the gaps of this answer say nothing: this machine is busy; run this section again when it is not")

# %% [markdown] id="figures-text"
# Three figures follow from them:
#
# - **TTFT**, time to first token: from sending to the first chunk with words. Until then the page is empty.
# - **ITL**, inter-token latency: each gap between two consecutive chunks. The text flows, or it stutters.
# - **TPOT**, time per output token: (end - first chunk) / (tokens - 1). One number for a whole answer.

# %% id="figures"
ttft_s = record.chunk_s[0] - record.sent_s
gaps_s = [later - earlier for earlier, later in pairwise(record.chunk_s)]
end_s = record.finish_s or record.chunk_s[-1]  # the last tokens may have no text, and no chunk of their own
tpot_s = (end_s - record.chunk_s[0]) / (record.usage.output_tokens - 1)
helpers.table(
    [
        {"figure": "TTFT", "ms": ttft_s * 1000, "made of": "waiting, prefill, one token, the network"},
        {"figure": "ITL, median gap", "ms": float(np.median(gaps_s)) * 1000, "made of": "one decode step"},
        {"figure": "ITL, largest gap", "ms": max(gaps_s) * 1000, "made of": "the worst stutter"},
        {"figure": "TPOT", "ms": tpot_s * 1000, "made of": "all decode steps, averaged"},
    ]
)

# %% [markdown] id="second-opinion-text"
# llama.cpp sends times of its own with each answer (other engines may not: then a dash). They leave out the network and
# the client, so they should be smaller.

# %% id="second-opinion"
own = {"TTFT": reply.timings.get("prompt_ms"), "TPOT": reply.timings.get("predicted_per_token_ms")}
if own["TPOT"] is not None and tpot_s * 1000 < own["TPOT"] / 2:
    print("the client saw less time a token than the engine took: it read many chunks at once")
helpers.table(
    [
        {"figure": name, "client, ms": client_s * 1000, "engine itself, ms": own[name]}
        for name, client_s in (("TTFT", ttft_s), ("TPOT", tpot_s))
    ]
)

# %% [markdown] id="s2"
# ## 2. Four ways to be wrong
# ### Counting tokens by yourself
# The text is there, so why not count words, or chunks? Ask for three kinds of text and compare with what the server
# says in `usage`. The older course multiplied words by 1.3. **For which kind will that be furthest off?**

# %% id="counting"
questions = {
    "prose": "What is continuous batching?",
    "counting": "Count from 1 to 30.",
    "JSON": "Write a JSON object with model: course, batch: 128, rate: 63.84",
}
counts = []
for kind, question in questions.items():
    answer = server.chat(question, max_tokens=64, temperature=0)
    words, tokens = len(answer.text.split()), answer.usage.output_tokens
    counts.append(
        {
            "text": kind,
            "tokens (usage)": tokens,
            "chunks": len(answer.record.chunk_s),
            "words x 1.3": words * 1.3,
            "error of words x 1.3": f"{words * 1.3 / tokens - 1:+.0%}",
        }
    )
helpers.table(counts)

# %% [markdown] id="counting-read"
# Could another factor than 1.3 mend the last column? Only the server knows the number, and in a stream it tells those
# who ask: `"stream_options": {"include_usage": true}`. This course's client always asks.

# %% [markdown] id="no-stream-text"
# ### Measuring without streaming
# A client that waits for the whole answer sees one time stamp. Whatever it calls "time to first token" is the
# end-to-end latency, and what it calls "decode" is the time to parse JSON. For the answer of section 1:

# %% id="no-stream"
print(f"with streaming:    TTFT {ttft_s * 1000:.1f} ms, the rest of the answer {(record.e2e_s - ttft_s) * 1000:.1f} ms")
print(f"without streaming: 'TTFT' {record.e2e_s * 1000:.1f} ms, {record.e2e_s / ttft_s:.1f} times the real one")

# %% [markdown] id="coalesced-text"
# ### Trusting every gap
# Chunks that arrive in one read of the socket seem to have no gap at all. To see it, measure a server whose truth is
# known: the course's mock server writes a token every 5 ms, and here four tokens at a time.

# %% id="coalesced"
workload = helpers.given_prompts(["Anything."], output_tokens=64, fixed_output=True)
for written in (1, 4):
    with helpers.MockServer(ttft_s=0.05, gap_s=0.005, faults=helpers.Faults(coalesce=written)) as mock:
        run = helpers.measure(mock, workload, helpers.ClosedLoop(4), requests=12)
    itl, tpot = run.metrics.itl_s, run.metrics.tpot_s
    marks = "; ".join(note.text for note in run.notes if note.kind == "coalesced") or "none"
    print(f"{written} a write: ITL p50 {itl.p50 * 1000:.2f} ms, TPOT p50 {tpot.p50 * 1000:.2f} ms; marks: {marks}")

# %% [markdown] id="coalesced-read"
# TPOT divides by tokens, so it hardly changes; the median gap loses its meaning. That is why a run carries *marks*, and
# why ITL and TPOT are always shown together. The first line is also a test of the client: it should say 5 ms. How far
# the client can be off on this machine is measured once against that mock server, and stands in every report.

# %% id="calibrate"
if run.client_error is None:  # never measured on this machine: takes about ten seconds, and is kept
    helpers.calibrate()

# %% [markdown] id="cached-text"
# ### Asking the same thing twice
# Engines keep the keys and values of a prompt they have seen. A benchmark that repeats its prompt measures that cache.

# %% id="cached"
prompt = "Explain this in one sentence: " + "a server computes the keys and values of a prompt only once. " * 20
rows = []
for ask in ("first", "second"):
    answer = server.chat(prompt, max_tokens=8, temperature=0)
    taken = answer.usage.cached_tokens
    rows.append(
        {
            "time asked": ask,
            "prompt tokens": answer.usage.prompt_tokens,
            "from the cache": taken,
            "TTFT, ms": answer.record.ttft_s * 1000,
        }
    )
helpers.table(rows)

# %% [markdown] id="cached-read"
# From here on no prompt begins like another (the few tokens of the chat template apart), and each has as many tokens as
# asked for.

# %% [markdown] id="s3"
# ## 3. Prefill: what a long prompt costs
# Prefill computes all prompt tokens in a few large steps. You know the TTFT of a short prompt from section 1. **Guess
# the TTFT of a prompt of 1,024 tokens, in milliseconds.** (`measure` first sends warm-up requests that do not count: a
# server's first answers may be slower.)

# %% id="guess-prefill"
guess = None

# %% id="prefill"
lengths = [64, 256, 512, 1024] if quick else [64, 128, 256, 512, 1024, 2048]
length_runs = {}
for length in lengths:
    workload = helpers.unique_prompts(length, 48, seed=seed)
    length_runs[length] = helpers.measure(
        server, workload, helpers.ClosedLoop(1), requests=3 if quick else 12, label=f"{length} tokens in"
    )
print(helpers.beside(guess, length_runs[1024].metrics.ttft_s.p50 * 1000, "ms at 1,024 tokens"))

# %% id="prefill-plot"
points = [{**run.point(), "input_tokens": length} for length, run in length_runs.items()]
helpers.length_sweep({f"{server.engine} {server.precision}": points})

# %% [markdown] id="prefill-line-text"
# TTFT is not prefill alone: a part of it does not grow with the prompt. A straight line through the points tells them
# apart.

# %% id="prefill-line"
ttfts_s = [length_runs[length].metrics.ttft_s.p50 for length in lengths]
slope, overhead_s = np.polyfit(lengths, ttfts_s, 1)
prefill_tokens_per_s = 1 / slope
constant = f"{overhead_s * 1000:.1f} ms" if overhead_s > 0 else "less than can be seen here"
print(f"prefill: {prefill_tokens_per_s:,.0f} prompt tokens a second; what does not grow: {constant}")
fitted = [overhead_s + slope * length for length in lengths]
worst_s = max(abs(line - seen) for line, seen in zip(fitted, ttfts_s, strict=True))
straight = "a straight line will do" if worst_s < 0.15 * max(ttfts_s) else "prefill is no straight line here"
print(f"the line misses the worst point by {worst_s * 1000:.1f} ms: {straight}")

# %% [markdown] id="s4"
# ## 4. Decode: one token at a time
# Decode computes one token a step. Each step reads all the weights again, and the keys and values of all tokens before:
# so a long context makes it slower. **Guess: how many times longer does one output token take than one prompt token?**

# %% id="guess-decode"
guess = None

# %% id="decode"
tpots_s = {length: run.metrics.tpot_s.p50 for length, run in length_runs.items()}
timed = {length: tpot_s for length, tpot_s in tpots_s.items() if tpot_s > 0}
if len(timed) < len(tpots_s):
    print("Answers came in one read: this machine was too busy to see their tokens apart. Run section 3 again.")
if timed:
    shortest, longest = min(timed), max(timed)
    print(helpers.beside(guess, timed[shortest] * prefill_tokens_per_s, "times"))
    growth = timed[longest] / timed[shortest]
    print(f"TPOT after {longest} prompt tokens is {growth:.2f} times that after {shortest}")
    print(f"decode, one user: {1 / timed[shortest]:,.0f} tokens a second")

# %% [markdown] id="s5"
# ## 5. Many users: throughput, latency, knee
# A *closed loop* of N streams keeps N requests in flight. While one step computes one token for each of them, the
# weights are read once for all. **Guess: at 8 streams, how many times the throughput of one stream?**

# %% id="guess-load"
guess = None

# %% id="load"
loads = [1, 2, 4, 8] if quick else [1, 2, 4, 8, 16]
sweep_folder = helpers.new_folder(run_dir, "bundle-load")
sweep = helpers.sweep(server, helpers.unique_prompts(64, 48, seed=seed), loads, 16 if quick else None, out=sweep_folder)
by_load = {run.concurrency: run for run in sweep.runs}
gain = by_load[8].metrics.output_tokens_per_s / by_load[1].metrics.output_tokens_per_s
print(helpers.beside(guess, gain, "times the throughput of one stream"))
if gain < 1.5:
    print("little gain: a step waits for something that grows with the streams; sections 8 and 9 look for it")

# %% id="load-plot"
helpers.load_curves({f"{server.engine} {server.precision}": [run.point() for run in sweep.runs]})

# %% [markdown] id="live-text"
# Eight streams again, watched while they run. *Stop* ends a measurement, and keeps the requests that have ended.

# %% id="live"
eight = await helpers.measure_live(
    server, helpers.unique_prompts(64, 48, seed=seed), helpers.ClosedLoop(8), 24 if quick else 192
)

# %% [markdown] id="knee-text"
# The ring marks the **knee**: the load of greatest *power*, throughput / latency. Before it, more users cost the others
# little; beyond it, they mostly make each other wait.

# %% id="knee"
knee = sweep.knee
rate, wait_s = knee.metrics.output_tokens_per_s, knee.metrics.e2e_s.p50
print(f"knee: {knee.label}, {rate:,.0f} tokens/s in all, one answer in {wait_s:.2f} s")
marks = {note.kind: f"{run.label}: {note.text}" for run in sweep.runs for note in run.notes if note.kind != "few"}
print("marks:", "; ".join(marks.values()) or "none")
helpers.timeline(by_load[8].repeats[0][:24], "Eight streams: the first requests, from sending to the last token")

# %% [markdown] id="goodput-text"
# **Goodput** counts only requests that kept a promise, the *service-level objective*. Promise three times the TTFT and
# the TPOT of a lone user. **From which load on will goodput be less than requests a second?**

# %% id="goodput"
alone = by_load[1].metrics
promise = helpers.Objective(ttft_s=3 * alone.ttft_s.p50, tpot_s=3 * alone.tpot_s.p50)
rows = []
for load, run in by_load.items():
    good = helpers.summarize(run.records, promise)
    kept = good.goodput_per_s / good.requests_per_s
    rows.append(
        {
            "streams": load,
            "output tokens/s": good.output_tokens_per_s,
            "requests/s": good.requests_per_s,
            "goodput, requests/s": good.goodput_per_s,
            "kept the promise": f"{kept:.0%}",
        }
    )
print(f"the promise: TTFT {promise.ttft_s * 1000:.0f} ms, TPOT {promise.tpot_s * 1000:.1f} ms")
helpers.table(rows)

# %% [markdown] id="s6"
# ## 6. A fair comparison
# Two numbers may be compared if only one thing differs: of model, precision, engine, machine, prompts, answer lengths
# and load. The repeats are *interleaved* (A B, B A, A B, ...), so that a slow minute hits both, and the ratio gets an
# *interval*.
#
# What is compared depends on what this machine has. Each group below is one model; what cannot run here is listed with
# what it needs. A laptop runs a whole group at once. A Spark's memory takes two of its engines, so the first of a group
# meets the others one after the other. Three engines serve the same bf16 weights there, the others formats of their
# own: then precision differs too, and the table says so.

# %% id="matrix"
LAPTOP = {
    "course": [("llama.cpp", "f32"), ("llama.cpp", "f16"), ("llama.cpp", "q8_0"), ("vllm", "f32")],
    "course-heavy": [("llama.cpp", "f32"), ("llama.cpp", "q8_0")],
}
SPARK = [("vllm", "bf16"), ("sglang", "bf16"), ("tensorrt-llm", "bf16"), ("llama.cpp", "q8_0"), ("ollama", "q4_k_m")]
if not quick:  # each at its best
    SPARK += [("vllm", "fp8"), ("vllm", "nvfp4"), ("sglang", "fp8"), ("tensorrt-llm", "nvfp4"), ("llama.cpp", "q4_k_m")]
on_laptop = helpers.choose_profile(helpers.read_hardware()) == "laptop"
groups = LAPTOP if on_laptop else {"qwen3-8b": SPARK}
together = 8 if on_laptop else 2

# %% [markdown] id="start-groups-text"
# Three loads, because a single one would answer a single need: one user with a short prompt, one user with a long
# prompt, and many users at once.

# %% id="rounds"
LOADS = {  # streams, tokens in, tokens out
    "course-heavy": {"one user": (1, 24, 12)} if quick else {"one user": (1, 24, 12), "many users": (4, 24, 12)},
    "other": {"one user": (1, 64, 64), "long prompt": (1, 512, 32), "many users": (4, 64, 32)},
}
not_run: dict[str, str] = {}


def rounds(configurations: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """All at once where they fit; else the first with each of the others."""
    baseline, *others = configurations
    return [configurations] if len(configurations) <= together else [[baseline, other] for other in others]


# %% id="start-groups"
def start_all(model_name: str, configurations: list[tuple[str, str]]) -> dict[str, helpers.Server]:
    """Start every configuration that can run here; note what the others need."""
    started: dict[str, helpers.Server] = {}
    options = {"max_num_seqs": 8} if on_laptop else {"max_num_seqs": 8, "max_model_len": 2048}
    for engine_name, precision in configurations:
        try:
            one = helpers.launch(engine_name, model_name, precision=precision, beside=bool(started), **options)
        except helpers.MissingError as error:  # it cannot run here, does not fit into memory, or broke
            not_run[engine_name] = error.cause
        else:
            started[f"{one.engine} {one.precision}"] = one
    return started


# %% id="measure-load"
bundles: dict[str, dict[str, helpers.Comparison]] = {}
folders: list[str] = []


def measure_load(name: str, load: str, servers: dict[str, helpers.Server], repeats: int = 5) -> helpers.Comparison:
    """Put one load on all servers of a round, interleaved, and keep the bundle."""
    streams, tokens_in, tokens_out = LOADS.get(name, LOADS["other"])[load]
    workload, requests = helpers.unique_prompts(tokens_in, tokens_out, seed=seed), streams * (1 if quick else 4)
    folder = helpers.new_folder(run_dir, f"bundle-{name}-{load}".replace(" ", "-").replace(",", ""))
    folders.append(folder.name)
    shape, options = helpers.ClosedLoop(streams), {"repeats": repeats, "out": folder}
    if len(servers) > 1:
        return helpers.compare(servers, workload, shape, requests, **options)
    label, only = next(iter(servers.items()))
    return helpers.Comparison((helpers.measure(only, workload, shape, requests, label=label, **options),))


# %% id="questions"
QUESTIONS = ["What is TTFT?", "What is prefill?", "What is decode?", "What is a batch?", "Count from 1 to 12."]
answers: dict[str, dict[str, list[str]]] = {}


def ask_all(one: helpers.Server) -> list[str]:
    """The answers to the questions at temperature 0; quick asks a slow model only the first two."""
    asked = QUESTIONS[:2] if quick and one.model.endswith("-heavy") else QUESTIONS
    return [str(one.chat(question, max_tokens=24, temperature=0)) for question in asked]


# %% id="measure-group"
def measure_round(model_name: str, configurations: list[tuple[str, str]]) -> None:
    """Measure under each load, then ask every engine the same questions; stop all engines."""
    servers = start_all(model_name, configurations)
    name = model_name if len(groups[model_name]) <= together else ", ".join([model_name, *servers])
    try:
        if servers:
            loads_here = LOADS.get(name, LOADS["other"])
            bundles[name] = {load: measure_load(name, load, servers) for load in loads_here}
            answers[name] = {label: ask_all(one) for label, one in servers.items()}
    finally:
        for one in servers.values():
            one.stop()


def measure_group(model_name: str) -> list[str]:
    """All rounds of a group; what was measured, by name."""
    before = set(bundles)
    for configurations in rounds(groups[model_name]):
        measure_round(model_name, configurations)
    return [name for name in bundles if name not in before]


# %% [markdown] id="guess-precision-text"
# `q8_0` stores a weight in a little more than one byte, `f32` in four. **Guess: with a quarter of the bytes, how many
# times the output rate of f32 does q8_0 give a lone user of the course model?**

# %% id="guess-precision"
guess = None


# %% id="show-gains"
def show_gains(name: str, guess: float | None) -> None:
    """How the output rate of each configuration for one user compares with the first, beside a guess for q8_0."""
    result = bundles[name]["one user"]
    for run in result.runs[1:]:
        own_guess = guess if run.target.precision == "q8_0" else None
        measured = result.ratio(run.label).estimate
        print(
            f"{name}, {run.label}:", helpers.beside(own_guess, measured, f"x the output rate of {result.runs[0].label}")
        )


# %% id="compare"
first, *other_groups = groups
if not on_laptop:
    server.stop()  # the big ones need its memory
measured = measure_group(first)
for name in measured:
    show_gains(name, guess)
for name, needs in not_run.items():
    print(f"{name} cannot be started here: {needs}")

# %% [markdown] id="ratio-text"
# A ratio without an interval is an anecdote. The bars are 95 % intervals over the paired repeats; a bar that crosses
# the line at 1 shows no difference, whatever its middle says.


# %% id="ratio-plot"
def show_ratios(name: str) -> None:
    """Ratios of output tokens a second to the group's first configuration, one figure a load; then the words."""
    for load, result in bundles.get(name, {}).items():
        ratios = {run.label: result.ratio(run.label) for run in result.runs[1:]}
        display(helpers.comparison(ratios, result.runs[0].label, f"{name}, {load}: output tokens/s"))
        for label, interval in ratios.items():
            verdict = "no difference shown" if interval.contains(1) else f"{interval.estimate:.2f} times"
            print(f"{label}: {verdict}, interval {interval.low:.2f} to {interval.high:.2f}")


for name in measured:
    show_ratios(name)

# %% [markdown] id="heavy-text"
# ### The same words, more bytes
# The *heavy variant* is the course model padded with zeros to the memory traffic of a 150-million-parameter model:
# every token stays the same, but each step moves about 30 times the bytes. **Guess again: how many times the output
# rate of f32 does q8_0 give?** Making the model takes a few seconds the first time. (A Spark has one group: skip this.)

# %% id="guess-heavy"
guess = None

# %% id="compare-heavy"
for name in [name for group in other_groups for name in measure_group(group)]:
    show_gains(name, guess)
    show_ratios(name)

# %% [markdown] id="why-text"
# The same change, and for each model a gain of its own: sections 8 and 9 ask why. In short: fewer bytes help where
# bytes are what a step waits for.
#
# ### Is it still the same model?
# Speed that costs answers is no gain. The cheapest quality check: the same questions at temperature 0, and the share of
# answers that stayed word for word the same as those of the group's first configuration.

# %% id="quality"
rows = []
for name, by_label in answers.items():
    reference = next(iter(by_label.values()))
    for label, texts in by_label.items():
        same = sum(text == expected for text, expected in zip(texts, reference, strict=True))
        rows.append({"model": name, "configuration": label, "same answers": f"{same} of {len(texts)}"})
quality_table = helpers.table(rows)
text = "Answers at temperature 0 that are word for word those of the first configuration of the same model."
report_sections.append(helpers.Section("Quality beside speed", text, quality_table))
quality_table

# %% [markdown] id="s7"
# ## 7. Which engine for which need?
# Stars are made by a rule, from rates measured here: five within 10 % of the best of the same model, four from two
# thirds of it, three from half, two from a third, else one. Beside them stand the stars of an older course, which gave
# no measurement for them. **Which row will get five stars for decode?**

# %% id="stars"
runs = [run for results in bundles.values() for result in results.values() for run in result.runs]
run_groups = helpers.group_runs(runs)


def stars(pair: tuple[int, int] | None) -> str:
    """Prefill and decode stars as text."""
    return f"{pair[0]} ★ / {pair[1]} ★" if pair else "–"


helpers.table(
    [
        {
            "engine": f"{row.variant} {row.model}",
            "state": row.state,
            "own: prefill / decode": stars(row.stars),
            "older course's": stars(row.older_stars),
        }
        for row in helpers.engine_rows(run_groups)
    ]
)

# %% [markdown] id="needs-text"
# A star says little about *your* need. Here are four needs, answered by the numbers of this machine. Where no
# difference was shown, both are named. Where a model was measured with one length of prompt only, *long prompts* means
# that length: look at the last column.

# %% id="needs"
helpers.table(
    [
        {
            "model": group.model,
            "need": found.need.question,
            "answer": found.winner,
            "because": found.because,
            "load": found.condition,
        }
        for group in run_groups
        for found in helpers.answer_needs(group)
    ]
)

# %% [markdown] id="s8"
# ## 8. Further: the limits of this machine
# A step can be no faster than its bytes can be moved and its operations done. Both limits can be measured, here for the
# CPU, which is what engines on a laptop compute on. **Guess: how many gigabytes a second does this machine's memory
# deliver to it?**

# %% id="guess-limits"
guess = None

# %% id="limits"
limits = helpers.measure_limits()
print(helpers.beside(guess, limits.bandwidth_bytes_per_s / 1e9, "GB/s"))
print(f"float32 matrix product: {limits.matrix_flops_per_s / 1e9:,.0f} GFLOP/s, {limits.threads} threads")

# %% [markdown] id="roofline-text"
# How many bytes and operations a step needs follows from the model's shape: decode reads all weights once and does two
# operations a weight for each sequence; prefill reads them once for hundreds of tokens. Under the *roofline*, a point
# near the slope waits for memory, a point near the flat part for arithmetic, and a point far below both for neither.


# %% id="steps"
MOST_TOGETHER = 0.4  # share of chunks that came with the one before; above it, gaps show the reader
timed = [run for run in runs if run.valid and run.metrics.coalesced_share <= MOST_TOGETHER]


def steps(name: str, make: Callable[..., list[helpers.StepPoint]], own: list[helpers.Run]) -> list[helpers.StepPoint]:
    """Steps of a group's runs with their bytes and operations, labelled by the model's name."""
    try:
        shape = helpers.model_shape(name)
    except helpers.CourseError as unknown:
        print(unknown.what)
        return []
    found = make([run for run in own if run.target.model == name], shape)
    return [replace(point, label=point.label.replace("llama.cpp", name)) for point in found]


# %% id="roofline"
short = [run for run in timed if run.workload.input_tokens[0] < 512]
points = [
    helpers.RooflinePoint(step.label.rsplit(",", 1)[0], step.cost.intensity, step.cost.flops / step.step_s)
    for name in groups
    for step in steps(name, helpers.decode_points, short)
]
roof = {"bandwidth_bytes_per_s": limits.bandwidth_bytes_per_s, "flops_per_s": limits.matrix_flops_per_s}
roofline = helpers.roofline(points, machine="this machine, decode steps", **roof)
report_sections.append(helpers.Section("Decode under the limits of this machine", "Measured.", figures=(roofline,)))
roofline

# %% id="roofline-read"
cache = f"its weights stay in the cache ({limits.cache_bytes / 2**20:.0f} MiB)"
cache = cache if on_laptop else "it was computed on the GPU, and these are the CPU's limits"
for point in points:
    limit = min(limits.matrix_flops_per_s, point.flops_per_byte * limits.bandwidth_bytes_per_s)
    if point.flops_per_s > limit:
        print(f"{point.label} lies above its limit: {cache}, or the machine was busy while its limits were measured")

# %% [markdown] id="s9"
# ## 9. Further: where the time of a step goes
# Write a step's time as *fixed cost + bytes / bandwidth + operations / rate*, and find the three from runs that you
# have: llama.cpp with two models at `f32`, one sequence and several, decode and prefill. (One engine only: each has
# costs of its own.) The fit is refused if the runs cannot tell the terms apart. **Which term will be the largest for
# one user of the course model? And of the heavy variant?**

# %% id="step-points"
plain = [run for run in timed if (run.target.engine, run.target.precision) == ("llama.cpp", "f32")]
step_points = [
    step
    for name in groups
    for make in (helpers.decode_points, helpers.prefill_points)
    for step in steps(name, make, plain)
]
print(f"{len(step_points)} steps to explain")

# %% id="step-fit"
try:
    fit = helpers.fit_step_time(step_points)
except helpers.NotIdentifiable as refusal:
    print(refusal)
else:
    shares = helpers.step_shares(fit)
    report_sections.append(
        helpers.Section("Where the time of a step goes", "Fitted to this report's runs.", figures=(shares,))
    )
    display(shares)
    for share in fit.shares:
        print(f"{share.label}: {share.measured_s * 1000:.2f} ms, most of it {share.largest}")
    trust = (
        "good enough to read" if fit.worst_relative_error < 0.3 else "too far for more than a hint; try an idle machine"
    )
    print(f"the worst step is missed by {fit.worst_relative_error:.0%}: {trust}")

# %% [markdown] id="step-spark-text"
# Keep the mechanism and the machine apart. That each decode step reads all weights is true everywhere; which term is
# the largest depends on how many operations a machine can do while it moves one byte. A Spark's GPU can do many more
# than a CPU. Its low and high figure differ because no dense bf16 rate is published: both are assumptions.

# %% id="step-spark"
spark = helpers.device("gb10")
here = limits.matrix_flops_per_s / limits.bandwidth_bytes_per_s
low, high = (rate / spark.bandwidth_bytes_per_s for rate in spark.flops_per_s["bf16"])
print(f"this machine, measured: {here:.1f} operations a byte")
print(f"{spark.name}, computed from published limits: {low:.0f} to {high:.0f} operations a byte")
print(f"so there, bytes weigh {low / here:.0f} to {high / here:.0f} times more against operations than here")

# %% [markdown] id="s10"
# ## 10. Further: what others published
# Figures of a DGX Spark, published by others, **not measured here**. They can be held against the limits of the machine
# all the same. At batch 1, decode reads the active weights for each token, at 273 GB/s. Prefill does two operations for
# each active weight and token; the rate taken is the highest that a dense model may get (500 TFLOP/s in FP4, half of
# the published rate, which counts on sparsity). A share above 100 % is impossible. **How many of these figures are?**

# %% id="published"
ACTIVE = {"Llama-3.1-8B": 8.0e9, "gpt-oss-20b": 3.6e9, "gpt-oss-120b": 5.1e9}  # parameters a token uses, by model cards
ACTIVE |= {"Qwen3-Coder-30B-A3B": 3.3e9, "Qwen2.5-VL-7B": 7.6e9, "Qwen3-235B-A22B": 22e9}


def share_of_limits(figure: helpers.PublishedFigure) -> tuple[float | None, float | None]:
    """Prefill and decode of a published figure as shares of the limits of the machines it was measured on."""
    weights, prefill, decode = ACTIVE[figure.model], figure.prefill_tokens_per_s, figure.decode_tokens_per_s
    flops_per_s = max(spark.flops_per_s.get(figure.precision, spark.flops_per_s["nvfp4"])) * figure.sparks
    bytes_per_s = spark.bandwidth_bytes_per_s * figure.sparks
    moved = weights * helpers.bytes_per_weight(figure.precision)
    return prefill and 2 * weights * prefill / flops_per_s, decode and moved * decode / bytes_per_s


# %% id="published-table"
rows = []
for figure in [figure for figure in helpers.published() if figure.batch == 1 and figure.model in ACTIVE]:
    prefill, decode = share_of_limits(figure)
    impossible = max(prefill or 0, decode or 0) > 1
    rows.append(
        {
            "engine": figure.engine,
            "model, precision": f"{figure.model}, {figure.precision}",
            "prefill, tokens/s": figure.prefill_tokens_per_s,
            "prefill / limit": f"{prefill:.0%}" if prefill else None,
            "decode, tokens/s": figure.decode_tokens_per_s,
            "decode / limit": f"{decode:.0%}" if decode else None,
            "verdict": "impossible" if impossible else "possible",
            "published by": f"{figure.source.title.split(',')[0]}, {figure.source.date}",
        }
    )
print(f"{sum(row['verdict'] == 'impossible' for row in rows)} of {len(rows)} figures are impossible")
helpers.table(rows)

# %% [markdown] id="s11"
# ## 11. The report
# Everything that was measured goes into one page that you can hand on: the answer first, then a row for every engine of
# the course, measured or "not-run: needs ...", then the evidence with its marks. It is written from the raw records.

# %% id="report"
names = [sweep_folder.name, *folders]
read = [(Path(name), helpers.load_bundle(run_dir / name)) for name in names]
report = helpers.build_report(read, title="Engine benchmark", more=report_sections)
html, markdown = helpers.write_report(report, run_dir)
server.stop()
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="milestone-text"
# ## Milestone
# The report counts if it compares at least two configurations, all points are valid and without errors, every
# difference has its interval, and every engine of the course is accounted for. The judge does not believe the table: it
# computes it again from the raw records.

# %% id="evidence"
ratios = [
    {"bundle": folder.name, "label": run.label, "ratio": [interval.estimate, interval.low, interval.high]}
    for folder, bundle in read
    if bundle.kind == "comparison"
    for comparison in [helpers.Comparison(bundle.runs)]
    for run in comparison.runs[1:]
    for interval in [comparison.ratio(run.label)]
]
evidence = {
    "bundles": names,
    "rows": [asdict(row) for row in helpers.engine_rows(helpers.group_runs(r for _, b in read for r in b.runs))],
    "ratios": ratios,
}

# %% id="milestone-12-1-report"
helpers.milestone("12.1.report", evidence=evidence, run_dir=run_dir, backend=server.backend)

# %% [markdown] id="think"
# ## To think about
# - A benchmark reports three million tokens a second for one stream. What did its client probably do?
# - One engine was measured at `q4_k_m`, another at `bf16`. What do their rates say about the engines?
# - What is the p99 of twenty requests worth? And that of twenty thousand, sent in one minute of one day?
# - Your sweep has its knee at one stream. Which measurement would tell the model, the machine and the client apart?
#
# **Sources**: Kleinrock, *Power and Deterministic Rules of Thumb* (ICC 1979; the knee); Zhong et al.,
# [DistServe](https://arxiv.org/abs/2401.09670) (goodput); Hesterberg,
# [What Teachers Should Know About the Bootstrap](https://arxiv.org/abs/1411.5279) (intervals); Williams et al.,
# [Roofline](https://doi.org/10.1145/1498765.1498785). The published figures name their own.
