# %% [markdown] id="intro"
# # Task 12.3: TensorRT-LLM, prefill, and engines built ahead of time
#
# **After this task you can** build an engine for a model once and load it ever after, and say what that gives and what
# a wrong shape costs; count the operations of a prefill from a config, measure it, and hold it against the machine's
# peak; tell an absurd prefill figure from a fast one; and run TensorRT-LLM by either of its two paths, knowing which.
#
# **It takes** 3 hours: sections 1 to 7 are the core (90 minutes), 8 to 11 are marked *further*. It needs 2 cores and 2
# GB of memory; no GPU. Run unattended, all of it takes a few minutes.
#
# **You should know** what TTFT is (task 12.1), and what continuous batching and a prefix cache are (task 12.2).
#
# | section | what | minutes |
# |---|---|---|
# | 1 | the command that never worked, and what became of it | 10 |
# | 2, 3 | build an engine; the same words, faster? | 25 |
# | 4 | the price of a wrong shape, and of 8 bits | 20 |
# | 5, 6 | prefill: count it, measure it, hold it against the peak | 25 |
# | 7 | why a repeated prompt shows absurd speed | 10 |
# | 8 | further: who waits while a long prompt is computed | 20 |
# | 9 | further: TensorRT-LLM, both paths | 40 |
# | 10, 11 | further: spot the impossible number; a Spark, simulated | 30 |

# %% id="threads"
import os

# One thread for every engine, and for the peak that they are held against; NumPy reads it when it is imported.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"))

# %% id="setup"
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

import helpers
from helpers.nano.engine import load_engine

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)
on_laptop = helpers.choose_profile(helpers.read_hardware()) == "laptop"
report_sections = []  # what the sections below add to the report

# %% [markdown] id="guessing"
# ## How to read this notebook
# Before each measurement you are asked for a guess. Write it into its cell (`guess = 2.0`) before you run the next
# one. Every sentence about a result is made from what was measured a moment ago, on this machine.


# %% id="beside"
def beside(guess: float | None, measured: float, unit: str) -> str:
    """A guess beside what came out."""
    if guess is None:
        return f"measured {helpers.digits(measured)} {unit} (no guess)"
    factor = max(measured / guess, guess / measured)
    return f"measured {helpers.digits(measured)} {unit}, guessed {guess:g}: off by a factor of {factor:.1f}"


# %% [markdown] id="s1"
# ## 1. The command that never worked, and what became of it
# An older course told learners to build a TensorRT-LLM engine with this. What is wrong with it?

# %% id="older-command"
OLDER = "python -m tensorrt_llm.commands.build --model_dir ./llama --dtype float16 --use_fused_mlp"
for piece in helpers.explain_command(OLDER):
    print(f"{piece.found}\n  today: {piece.why}\n  instead: {piece.instead}")

# %% [markdown] id="history"
# The idea behind it was sound. An **eager** engine runs the model's operations one by one, as Python calls them. An
# engine built **ahead of time** (AOT) sees the whole graph first: it fuses operations, chooses kernels for this very
# processor and for the shapes that it is told, plans the memory, and *keeps the result*. TensorRT-LLM lived from that:
# convert the checkpoint, `trtllm-build`, serve the engine's directory. Building took its time, and what came out fitted
# one GPU, one version, one range of shapes.
#
# In 2026 NVIDIA removed the TensorRT backend for the PyTorch one, which compiles, captures CUDA graphs and picks its
# kernels while it loads, without a build. What an ahead-of-time build *is* can be seen on any machine, though: sections
# 2 to 4 do it with ONNX Runtime, on a CPU. Section 9 is TensorRT-LLM itself.

# %% [markdown] id="s2"
# ## 2. Build an engine
# Three steps: *export* writes the course model as an ONNX graph (operators and weights; nothing runs), *compile* lets
# ONNX Runtime optimise it for this processor, and the result is saved with its **shape profile**: which numbers of
# sequences, new tokens and tokens in the cache it takes. **Guess: how many seconds does the build take?**

# %% id="guess-build"
guess = None

# %% id="build"
aot_model = model if model in ("course", "course-heavy") else "course"
shapes = helpers.ShapeProfile("range", sequences=8, tokens=2048, past=4096)
built = helpers.build_engine(aot_model, profile=shapes, tell=print)
print(f"{built.state}; shapes: {built.profile}")
print(beside(guess, built.build_s, "s to build it"))

# %% [markdown] id="load-text"
# The second time nothing is built. The engine lies in a cache under a key of everything that it depends on: a digest
# of the model's files, precision, profile, the versions that built it, the kind of processor. Change one, and it is
# another engine. **Guess: how many times as fast is loading?**

# %% id="guess-load"
guess = None

# %% id="load"
started_s = time.perf_counter()
again = helpers.build_engine(aot_model, profile=shapes)
compiled = helpers.load_compiled(again)
load_s = time.perf_counter() - started_s
print(again.state, "-", beside(guess, built.build_s / load_s, "times as fast as building"))
print(f"checked and loaded in {load_s:.2f} s; built in {built.build_s:.2f} s: a model so small is built in no time")

# %% [markdown] id="damage-text"
# What if the cache is damaged? A half-written engine that loads and answers nonsense would be worse than none.

# %% id="damage"
weights = max(again.folder.iterdir(), key=lambda path: path.stat().st_size)
content = weights.read_bytes()
weights.unlink()  # what is loaded keeps the old file
weights.write_bytes(content[:-4096])  # as after a full disk
repaired = helpers.build_engine(aot_model, profile=shapes, tell=print)
print(repaired.state)

# %% [markdown] id="s3"
# ## 3. The same words, faster?
# First the same words: speed of another answer is no speed. Greedy answers of nano's own model (NumPy, eager) and of
# the compiled graph, under the same scheduler and the same paged cache.

# %% id="same"
tokenizer = helpers.load_tokenizer(aot_model)
questions = [*helpers.prompt_class("predictable")[:5], *helpers.prompt_class("semi")[:5]]
prompts = [tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": text}])) for text in questions]


def answer_all(one: object, tokens: int = 24) -> list[list[int]]:
    """Greedy answers to all prompts, all of them in one batch."""
    requests = [one.add_request(prompt, max_tokens=tokens) for prompt in prompts]
    one.run_until_done()
    return [request.ids[request.prompt_tokens :] for request in requests]


sides = {"nano": None, "onnxruntime": compiled}
engines = {
    name: load_engine(aot_model, loaded=one, max_num_seqs=8, prefix_caching=False) for name, one in sides.items()
}
answers = {name: answer_all(one) for name, one in engines.items()}
same = sum(one == two for one, two in zip(*answers.values(), strict=True))
print(f"{same} of {len(prompts)} answers are the same, token by token; one of them:")
print(tokenizer.decode(answers["onnxruntime"][0]))

# %% [markdown] id="faster-text"
# Now prefill: prompts of 512 random tokens, one new token, in turn on both, one thread each, and without a prefix
# cache: otherwise the second measurement with the same seed would compute nothing (section 7). **Guess: how many
# times nano's rate?**

# %% id="guess-faster"
guess = None


# %% id="faster"
def time_prefill(sides: dict, tokens: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each prefill; every engine in turn, so that a slow minute hits all of them."""
    random, seconds = np.random.default_rng(seed), {name: [] for name in sides}
    for _ in range(repeats):
        prompt = random.integers(16, 2048, tokens).tolist()
        for name, one in sides.items():
            one.add_request(prompt, max_tokens=1)
            started_s = time.perf_counter()
            one.run_until_done()
            seconds[name].append(time.perf_counter() - started_s)
    return seconds


prefill_s = time_prefill(engines, 512, 7 if quick else 21)
gain = helpers.ratio(*([1 / value for value in prefill_s[name]] for name in ("nano", "onnxruntime")))
print(beside(guess, gain.estimate, f"times nano's rate, interval {gain.low:.2f} to {gain.high:.2f}"))

# %% [markdown] id="faster-read"
# Both spend most of a prefill in matrix products, which NumPy's library does well; a compiler has little to gain
# there, and more in what lies between them. A short step on a GPU is the other way round: hundreds of small kernels,
# each started from Python, cost more than their arithmetic. That is why CUDA graphs and compilation count there.
#
# An engine is of use when it is served. `launch` starts the same server as nano's, with the graph as its model:

# %% id="serve"
with helpers.launch("onnxruntime", aot_model, max_num_seqs=4) as server:
    print(server.backend)
    print(server.chat("What is prefill?", max_tokens=48, temperature=0))
    aot_backend = server.backend

# %% [markdown] id="s4"
# ## 4. The price of a wrong shape, and of 8 bits
# A compiler can do more if it knows the shapes exactly: then nothing is left to be decided while it runs. But an engine
# for *exactly* 256 new tokens computes 256 in every run, wanted or not. A question of some 20 tokens and 16 tokens of
# answer, on three engines. **Guess: which share of what the last one computes is wanted by nobody, in %?**

# %% id="guess-shape"
guess = None

# %% id="shapes"
PROFILES = {"1 to 256": ("range", 256), "exactly 64": ("fixed", 64), "exactly 256": ("fixed", 256)}
rows = []
for name, (kind, tokens) in PROFILES.items():
    one = helpers.build_engine(aot_model, profile=helpers.ShapeProfile(kind, 1, tokens, 512))
    own = helpers.load_compiled(one)
    shaped = load_engine(aot_model, loaded=own, max_num_seqs=1, max_num_batched_tokens=tokens, max_model_len=512)
    shaped.add_request(prompts[0], max_tokens=16, ignore_eos=True)
    started_s = time.perf_counter()
    shaped.run_until_done()
    rows.append({"new tokens a run": name, "ms": (time.perf_counter() - started_s) * 1000})
    rows[-1] |= {"wanted tokens": own.wanted_tokens, "computed tokens": own.computed_tokens, "built in, s": one.build_s}
wrong = rows[-1]
print(beside(guess, 100 * (1 - wrong["wanted tokens"] / wrong["computed tokens"]), "% for nobody"))
shape_table = helpers.table(rows)
shape_table

# %% [markdown] id="shapes-read"
# TensorRT's answer was several profiles in one engine: one for prefill, one for decode. The other wrong profile is one
# that is too small: it is not slow, it is refused.

# %% id="too-small"
shaped = load_engine(aot_model, loaded=own, max_num_batched_tokens=512, max_model_len=512)
shaped.add_request(list(range(16, 316)), max_tokens=1)
try:
    shaped.run_until_done()
except helpers.UsageError as refusal:
    print(refusal)

# %% [markdown] id="int8-text"
# ### 8 bits
# *Dynamic* quantization stores weights in 8 bits and rounds activations while the engine runs. Never look at its speed
# without a look at its answers. **Guess: how many of the ten answers stay the same, and how many times the rate?**

# %% id="guess-int8"
guess_same, guess_rate = None, None

# %% id="int8"
small = helpers.build_engine(aot_model, precision="int8", profile=shapes, tell=print)
engines["int8"] = load_engine(aot_model, loaded=helpers.load_compiled(small), max_num_seqs=8, prefix_caching=False)
answers["int8"] = answer_all(engines["int8"])
int8_s = time_prefill({"f32": engines["onnxruntime"], "int8": engines["int8"]}, 512, 7 if quick else 21)
int8_gain = helpers.ratio(*([1 / value for value in int8_s[name]] for name in ("f32", "int8")))
kept = sum(one == two for one, two in zip(answers["nano"], answers["int8"], strict=True))
print(beside(guess_same, kept, f"of {len(prompts)} answers the same"))
print(beside(guess_rate, int8_gain.estimate, f"times the rate, {int8_gain.low:.2f} to {int8_gain.high:.2f}"))

# %% id="engines-table"
engine_rows = [
    {
        "precision": one.precision,
        "shapes": str(one.profile),
        "build, s": one.build_s,
        "of it export, s": one.stages_s["export"],
        "MB": one.engine_bytes / 1e6,
        "same answers as nano": f"{same_answers} of {len(prompts)}",
    }
    for one, same_answers in ((repaired, same), (small, kept))
]
engines_table = helpers.table(engine_rows)
words = f"{aot_model}, ONNX Runtime on this CPU; measured."
report_sections.append(helpers.Section("Engines built ahead of time", words, engines_table))
report_sections.append(helpers.Section("Shapes: what nobody wanted", words, shape_table))
engines_table

# %% [markdown] id="s5"
# ## 5. Prefill: count it
# A matrix of P weights costs 2 P operations a token. Attention costs 4 a layer, query element and position looked at,
# and token number i looks at i positions: that sum grows with the square of the prompt. The head works once.
# **Guess: at which prompt length does attention cost the course model as much as its matrices?**

# %% id="guess-crossing"
guess = None

# %% id="count"
shape = helpers.model_shape(aot_model)
matrices = shape.active_parameters - shape.head_parameters
crossing = matrices / (shape.layers * shape.heads * shape.head_size)
print(beside(guess, crossing, "tokens"))
rows = []
for length in (128, 1024, 4096):
    flops = helpers.prefill_step(shape, "f32", prompt_tokens=length).flops
    attention = 4 * shape.layers * shape.heads * shape.head_size * length * length / 2
    rows.append({"prompt tokens": length, "GFLOP": flops / 1e9, "a token, MFLOP": flops / length / 1e6})
    rows[-1]["of it attention"] = f"{attention / flops:.0%}"
helpers.table(rows)

# %% [markdown] id="count-read"
# For Llama-3.1-8B the same count gives 53,000 tokens: in larger models the matrices grow with the square of the width,
# attention only with the width itself.

# %% [markdown] id="s6"
# ## 6. Measure it, and hold it against the peak
# Unique prompts of several lengths, few tokens out, one user. **Guess: how many times as long does a prompt of 2,048
# tokens take as one of 256? And which share of this machine's matrix rate does prefill reach?**

# %% id="guess-prefill"
guess_times, guess_share = None, None

# %% id="limits"
own_engine = "onnxruntime" if engine == "auto" and on_laptop else engine
own_model = model if on_laptop or model != "course" else "llama-3.1-8b"
limits = helpers.measure_limits(threads=1)
where = "measured, one thread" if on_laptop else "an assumption, from published figures"
options = {"threads": 1} if own_engine in ("onnxruntime", "nano", "llama.cpp") else {}
server = helpers.launch(own_engine, own_model, max_num_seqs=2, **options)
print(server.backend)

# %% id="measure"
lengths = [128, 256, 512, 1024, 2048, 3584] if on_laptop else [128, 256, 512, 2048, 4096, 7168]
own_shape = helpers.model_shape(own_model)
points, runs = [], []
for length in lengths:
    folder = helpers.new_folder(run_dir, f"bundle-{length}-tokens")
    workload = helpers.unique_prompts(length, 4, seed=seed)
    runs.append(helpers.measure(server, workload, helpers.ClosedLoop(1), 3 if quick else 12, out=folder))
    flops = helpers.prefill_step(own_shape, "f16", prompt_tokens=length).flops
    points.append({"bundle": folder.name, "prompt_tokens": length, "flops": flops})
ttfts_s = [run.metrics.ttft_s.p50 for run in runs]
times = ttfts_s[lengths.index(2048)] / ttfts_s[lengths.index(256)]
print(beside(guess_times, times, "times as long"))

# %% [markdown] id="peak-text"
# The peak is measured before and after, and the better one counts: a machine that others use has good and bad moments.

# %% id="peak"
best = max(one.matrix_flops_per_s for one in (limits, helpers.measure_limits(threads=1)))
peak = best if on_laptop else max(helpers.device("gb10").flops_per_s["bf16"])
print(f"matrix peak: {peak / 1e9:,.0f} GFLOP/s, {where}")

# %% id="curve"
pair_s, token_s, fixed_s = np.polyfit(lengths, ttfts_s, 2)
curve = {"fixed_s": float(fixed_s), "token_s": float(token_s), "pair_s": float(pair_s)}
smooth = np.linspace(0, lengths[-1], 60)
figure = go.Figure(layout={"title": f"Prefill by prompt length, measured on {server.backend}", "template": "none"})
figure.add_scatter(x=lengths, y=[1000 * value for value in ttfts_s], mode="markers", name="TTFT p50, measured")
figure.add_scatter(x=smooth, y=1000 * np.polyval([pair_s, token_s, fixed_s], smooth), name="fixed + a n + b n²")
figure.add_scatter(x=smooth, y=1000 * np.polyval([token_s, fixed_s], smooth), name="without the square")
figure.update_layout(xaxis_title="Prompt tokens", yaxis_title="ms", height=380)
report_sections.append(helpers.Section("Prefill by prompt length", "Measured, unique prompts.", figures=(figure,)))
figure

# %% id="curve-read"
if pair_s > 0 and token_s > 0:
    print(f"the square costs as much as the line at {token_s / pair_s:,.0f} tokens; counted: {crossing:,.0f}")
else:
    print("no square can be told from the scatter here: the lengths are too short, or this machine is too busy")
rows = []
for point, ttft_s in zip(points, ttfts_s, strict=True):
    computing_s = ttft_s - max(0.0, fixed_s)
    share = point["flops"] / computing_s / peak if computing_s > ttft_s / 2 else None
    rows.append({"prompt tokens": point["prompt_tokens"], "TTFT, ms": ttft_s * 1000})
    rows[-1] |= {"tokens/s": point["prompt_tokens"] / ttft_s, "GFLOP": point["flops"] / 1e9, "of the peak": share}
share = points[-1]["flops"] / max(1e-9, ttfts_s[-1] - max(0.0, fixed_s)) / peak
print(beside(guess_share, 100 * share, "% of the matrix peak, at the longest prompt"))
if share > 1:
    print("above 100 %: this machine was busier while its peak was measured than while it computed the prompts")
for row in rows:
    row["of the peak"] = "too short to say" if row["of the peak"] is None else f"{row['of the peak']:.0%}"
share_table = helpers.table(rows)
report_sections.append(helpers.Section("Prefill against the peak", f"Peak: {where}.", share_table))
share_table

# %% [markdown] id="share-read"
# Where does the rest go? Normalisation, rotation, softmax and memory traffic do few operations a byte and count as
# nothing here; and this attention computes scores of later positions too, only to mask them out. Kernels that skip
# them (FlashAttention) are half of what makes long prompts fast.

# %% [markdown] id="s7"
# ## 7. Why a repeated prompt shows absurd speed
# Ask an engine the same thing twice (on a laptop: llama.cpp), and do what many clients do: divide the prompt's tokens
# by the time. **Guess: how many times faster does the second prefill seem?**

# %% id="guess-trap"
guess = None

# %% id="trap"
other = helpers.launch("llama.cpp", "course", max_num_seqs=1) if on_laptop else server
question = "Explain this in one sentence: " + "a prompt that was seen before is not computed again. " * 24
rows = []
for asked in ("first", "second"):
    reply = other.chat(question, max_tokens=4, temperature=0)
    cached, total = reply.usage.cached_tokens or 0, reply.usage.prompt_tokens
    prompt_ms = reply.timings.get("prompt_ms") or 1000 * reply.record.ttft_s
    trap = {"cached": cached, "computed": total - cached, "prompt_ms": prompt_ms}
    rates = {"all tokens by time": total / prompt_ms * 1000, "computed by time": trap["computed"] / prompt_ms * 1000}
    rows.append({"asked": asked, **trap, **rates})
if other is not server:
    other.stop()
print(beside(guess, rows[1]["all tokens by time"] / rows[0]["all tokens by time"], "times as fast, it seems"))
helpers.table(rows)

# %% [markdown] id="trap-read"
# The chip did not get faster: nearly nothing was computed. Ollama starts llama.cpp's server and reports exactly these
# two: `prompt_eval_count` holds cached *and* new tokens, `prompt_eval_duration` the time of the new ones. A benchmark
# on Ollama that repeats its prompt publishes the third column. Three ways out: unique prompts (this course's default),
# the cache off, or the count of what was computed.

# %% [markdown] id="s8"
# ## 8. Further: who waits while a long prompt is computed
# A prompt of 2,000 tokens comes first; four users are writing, and six short questions arrive meanwhile. The engine
# computes at most so many tokens a step, and the long prompt takes what the writing leaves. **Guess: with pieces of 128
# instead of 2,048 tokens, does the wait for a first token get better or worse for the short questions? And for those
# who are writing, the largest gap?**

# %% id="visitors"
random = np.random.default_rng(seed)


def make_job(name: str, prompt_tokens: int, tokens: int, arrives_s: float = 0.0) -> helpers.Job:
    """A request of random tokens."""
    return helpers.Job(name, tuple(random.integers(16, 2048, prompt_tokens).tolist()), tokens, arrives_s)


jobs = [make_job(f"writer {n}", 16, 64) for n in range(4)]
jobs += [make_job("long", 2000, 4, 0.02), *(make_job(f"short {n}", 16, 4, 0.05 + 0.01 * n) for n in range(6))]
budgets = {f"{budget} tokens a step": budget for budget in (2048, 512, 128)}
lanes = {
    name: load_engine(aot_model, loaded=compiled, max_num_seqs=8, max_num_batched_tokens=budget)
    for name, budget in budgets.items()
}
laps = helpers.race(lanes, jobs)

# %% id="visitors-table"
rows = [
    {
        "budget": name,
        "long prompt, TTFT ms": 1000 * lap.answers["long"].ttft_s,
        "short ones, mean TTFT ms": 1000 * float(np.mean([lap.answers[f"short {n}"].ttft_s for n in range(6)])),
        "writers, largest gap ms": 1000 * max(max(lap.answers[f"writer {n}"].gaps_s) for n in range(4)),
    }
    for name, lap in laps.items()
]
visitors_table = helpers.table(rows)
report_sections.append(helpers.Section("A long prompt and the others", "Measured: one race.", visitors_table))
visitors_table

# %% id="visitors-read"
first, last = rows[0], rows[-1]
for what in [name for name in first if name != "budget"]:
    change = last[what] / first[what]
    verdict = "longer" if change > 1 else "shorter"
    print(f"{what.removesuffix(' ms')}: {change:.2f} times with the smallest pieces, {verdict}")

# %% [markdown] id="visitors-why"
# Pieces protect those who *write*: their next token comes with every step, and small steps are short. Newcomers still
# wait for the whole of the long prompt: first come, first served, it takes what is left of every step until it is done.
# How long that is, pieces do change: more steps, each with its fixed cost; but in *this* engine also fewer scores, for
# a piece computes none of those behind its end, only to mask them out. Engines have further knobs for newcomers (vLLM:
# `--long-prefill-token-threshold`).

# %% [markdown] id="s9"
# ## 9. Further: TensorRT-LLM
# Two worlds under one name. Up to 1.2 an engine is built, as in section 2; the script below is what would run. What it
# takes is said and checked before it starts; a stopped build goes on where it was; engines are kept under a key.

# %% id="plan-built"
chosen = {"container": True, "precision": "fp8", "max_num_seqs": 8, "max_model_len": 8192}
older = helpers.make_plan("tensorrt-llm", "llama-3.1-8b", **chosen, extra={"release": "1.2.1"})
print("\n".join(f"- {note}" for note in older.notes), "\n")
(script,) = older.files.values()
print("\n".join(line[:150] for line in script.splitlines() if "python3 " in line or "trtllm-" in line))

# %% [markdown] id="plan-tuned-text"
# After it nothing is built: the PyTorch backend loads the checkpoint, and is *tuned* by a file. Its settings are the
# old build options in new clothes: batch and token budgets, chunked prefill, CUDA graphs (shapes, again), precision.

# %% id="plan-tuned"
newer = helpers.make_plan(
    "tensorrt-llm", "llama-3.1-8b", **chosen, extra={"release": "1.3.0rc13", "chunked_prefill": True}
)
print("\n".join(f"- {note}" for note in newer.notes), "\n")
print(next(text for path, text in newer.files.items() if path.endswith("config.yml")))

# %% [markdown] id="run-text"
# Where an NVIDIA GPU is, both are launched by name and measured like any engine: time to start, prefill by prompt
# length with unique prompts, and the same greedy questions to every configuration, so that no speed is told without
# its answers. **Guess which of them starts slowest, and which one changes answers.**

# %% id="run-configurations"
CONFIGURATIONS = {
    "fp8": {"precision": "fp8"},
    "no CUDA graphs": {"precision": "fp8", "eager": True},
    "chunked, 2,048 tokens a step": {"precision": "fp8", "extra": {"chunked_prefill": True, "max_num_tokens": 2048}},
    "nvfp4": {"precision": "nvfp4"},
}
if not quick:  # it converts and builds first
    CONFIGURATIONS["an engine built by 1.2.1"] = {"precision": "fp8", "extra": {"release": "1.2.1"}}
trtllm_model = "llama-3.1-8b" if model == "course" else model
trtllm_state, trtllm_rows, trtllm_points, trtllm_answers = "", [], [], {}


# %% id="run-one"
def run_configuration(name: str, chosen: dict) -> str:
    """Start it, time it, ask the same questions, measure its prefill; what ran, in one line."""
    began_s = time.perf_counter()
    with helpers.launch("tensorrt-llm", trtllm_model, max_num_seqs=8, max_model_len=8192, **chosen) as one:
        row = {"configuration": name, "start, s": time.perf_counter() - began_s}
        trtllm_answers[name] = [str(one.chat(text, max_tokens=32, temperature=0)) for text in questions]
        for length in (128, 1024, 4096):
            folder = helpers.new_folder(run_dir, f"bundle-trtllm-{len(trtllm_rows)}-{length}")
            workload = helpers.unique_prompts(length, 4, seed=seed)
            run = helpers.measure(one, workload, helpers.ClosedLoop(1), 3 if quick else 12, out=folder)
            row[f"prefill at {length:,}, tokens/s"] = length / run.metrics.ttft_s.p50
            if name == "fp8":
                trtllm_points.append({"bundle": folder.name, "prompt_tokens": length})
        reference = trtllm_answers.get("fp8", trtllm_answers[name])
        row["answers as fp8"] = sum(a == b for a, b in zip(reference, trtllm_answers[name], strict=True))
        trtllm_rows.append(row)
        return one.backend


# %% id="run"
server.stop()
backends = {}
for name, chosen in CONFIGURATIONS.items():
    try:
        backends[name] = run_configuration(name, chosen)
    except helpers.EngineUnavailable as error:
        trtllm_state = f"TensorRT-LLM: not-run: {error.cause}"
        break
    except (helpers.UsageError, helpers.EngineFailed) as error:
        print(f"{name}: {error.what}")
print(trtllm_state or f"{len(backends)} of {len(CONFIGURATIONS)} configurations ran")
helpers.table(trtllm_rows or [{"configuration": "none", "state": trtllm_state}])

# %% [markdown] id="bench-text"
# NVIDIA's own tool can say the same: the plan holds a script for `trtllm-bench` with one token out. Copy what it wrote
# into the folder below, and it stands beside your own figures, as *recorded*.

# %% id="bench"
bench_folder = Path(run_dir) / "trtllm-bench"
if bench_folder.is_dir():
    for report in helpers.read_prefill_reports(bench_folder):
        print(f"{report.engine}: {report.prompt_tokens:,.0f} tokens, {report.prefill_tokens_per_s:,.0f} tokens/s")
else:
    print(f"no reports in {bench_folder.name}: {newer.notes[2]}")

# %% [markdown] id="s10"
# ## 10. Further: spot the impossible number
# Prefill figures of a DGX Spark, published by others, **not measured here**. Each needs two operations an active weight
# and token; the chip has, dense and at the most, what NVIDIA's one published number (FP4 *with sparsity*) halves to.
# **How many of them need more than the chip has?**

# %% id="guess-impossible"
guess = None

# %% id="impossible"
ACTIVE = {"Llama-3.1-8B": 8.0e9, "gpt-oss-20b": 3.6e9, "gpt-oss-120b": 5.1e9, "Qwen3-Coder-30B-A3B": 3.3e9}
ACTIVE |= {"Qwen2.5-VL-7B": 7.6e9, "Qwen3-235B-A22B": 22e9}  # parameters a token uses, by the models' cards
spark = helpers.device("gb10")
rows = []
for figure in helpers.published():
    if figure.model not in ACTIVE or not figure.prefill_tokens_per_s:
        continue
    needed = 2 * ACTIVE[figure.model] * figure.prefill_tokens_per_s
    there = figure.sparks * max(spark.flops_per_s.get(figure.precision, spark.flops_per_s["nvfp4"]))
    rows.append({"published": f"{figure.engine}, {figure.model}, {figure.precision}", "sparks": figure.sparks})
    rows[-1] |= {"prefill, tokens/s": figure.prefill_tokens_per_s, "needs TFLOP/s": needed / 1e12}
    rows[-1] |= {"of the most there is": f"{needed / there:.0%}", "verdict": "impossible" if needed > there else ""}
print(beside(guess, sum(row["verdict"] == "impossible" for row in rows), f"of {len(rows)} are impossible"))
published_table = helpers.table(rows)
words = "Published by others; the limit is computed."
report_sections.append(helpers.Section("Published prefill figures", words, published_table))
published_table

# %% [markdown] id="impossible-read"
# An impossible figure is not a lie; most often it is section 7. Somebody's prompt was in a cache, or the time was that
# of something else. The defence is the arithmetic of section 5, and it takes a minute.

# %% [markdown] id="s11"
# ## 11. Further: a Spark, simulated
# No Spark at hand? The course's simulator runs nano's scheduler on a virtual clock, with step costs from bytes and
# operations, fitted to published figures. What it says is **simulated**: an interval that should hold in 80 % of cases,
# and a note where it goes beyond what was published.


# %% id="simulated"
def simulate(quantization: str, length: int) -> dict:
    """One user, prompts of one length, on a Spark that is not here."""
    load = {"concurrency": (1,), "requests": 4, "input_tokens": length, "output_tokens": 16}
    sweep = helpers.simulate_load("gb10", "llama-3.1-8b", quantization=quantization, engine="tensorrt-llm", **load)
    (point,) = sweep.points
    low, high = (1000 * value for value in point["intervals"]["ttft_s.p50"])
    return {
        "origin": point["origin"],
        "precision": quantization,
        "prompt tokens": length,
        "TTFT, ms": 1000 * point["ttft_s"]["p50"],
        "80 % interval": f"{low:,.0f} to {high:,.0f}",
        "prefill, tokens/s": length / point["ttft_s"]["p50"],
        "beyond what was published": "yes" if sweep.runs[0].extrapolations else "no",
    }


# %% id="simulated-table"
simulated_rows = [simulate(precision, length) for precision in ("bf16", "fp8", "nvfp4") for length in (512, 2048, 7000)]
simulated_table = helpers.table(simulated_rows)
report_sections.append(helpers.Section("A Spark, simulated", "Llama-3.1-8B on TensorRT-LLM.", simulated_table))
simulated_table

# %% [markdown] id="s12"
# ## The report

# %% id="report"
read = [(Path(point["bundle"]), helpers.load_bundle(run_dir / point["bundle"])) for point in points]
report = helpers.build_report(read, title="Prefill, and engines built ahead of time", more=report_sections)
rate = lengths[-1] / ttfts_s[-1]
headline = f"A prompt of {lengths[-1]:,} tokens is computed at {rate:,.0f} tokens/s, {share:.0%} of the matrix peak."
report = replace(report, headline=headline)
html, markdown = helpers.write_report(report, run_dir)
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="milestones-text"
# ## Milestones
# The judges compute the curve and the shares again from the records. *Built* counts if the engine was loaded the second
# time, says what nano says, and was timed beside it; a slower engine counts as a finding. TensorRT-LLM counts by either
# path, named as what it is.

# %% id="aot-evidence"
aot = {
    "engines": [
        {
            "precision": again.precision,
            "profile": str(again.profile),
            "build_s": again.build_s,
            "load_s": load_s,
            "engine_bytes": again.engine_bytes,
            "state": again.state,
        }
    ],
    "answers": {name: answers[name] for name in ("nano", "onnxruntime")},
    "prefill_s": prefill_s,
    "wrong_profile": {name: wrong[name.replace("_", " ")] for name in ("wanted_tokens", "computed_tokens")},
}

# %% id="milestone-12-3-aot"
helpers.milestone("12.3.aot", evidence=aot, run_dir=run_dir, backend=aot_backend)

# %% id="prefill-evidence"
prefill = {"points": points, "peak_flops_per_s": peak, "curve": curve, "share": share, "trap": trap}

# %% id="milestone-12-3-prefill"
helpers.milestone("12.3.prefill", evidence=prefill, run_dir=run_dir, backend=server.backend)

# %% id="trtllm-evidence"
tensorrt_llm = None
if trtllm_points:
    tensorrt_llm = {
        "path": "PyTorch backend, tuned load",
        "version": backends["fp8"],
        "start_s": trtllm_rows[0]["start, s"],
        "points": trtllm_points,
        "answers": trtllm_answers,
    }

# %% id="milestone-12-3-tensorrt-llm"
helpers.milestone("12.3.tensorrt-llm", evidence=tensorrt_llm, run_dir=run_dir, backend=backends.get("fp8", ""))

# %% [markdown] id="think"
# ## To think about
# - Your engine was built for 8 sequences of 4,096 tokens. Your users send 40 of 500. What do you build?
# - Which of the three parts of the prefill curve does a second machine shorten, and which does a prefix cache?
# - The build's key holds the version. What would go wrong if it did not, and who would notice?
#
# **Sources**: [ONNX](https://onnx.ai/onnx/operators/), [ONNX Runtime: graph
# optimizations](https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html),
# [TensorRT-LLM](https://nvidia.github.io/TensorRT-LLM/); Kaplan et al., [Scaling Laws](https://arxiv.org/abs/2001.08361),
# for the count of operations; Dao et al., [FlashAttention](https://arxiv.org/abs/2205.14135).
