# %% [markdown] id="intro"
# # Task 12.3: TensorRT-LLM, prefill, and engines built ahead of time
#
# **After this task you can** build an engine once, load it from then on, and say what a wrong shape costs; count the
# operations of a prefill from a model's config, measure the prefill, and give its share of the machine's peak; tell an
# impossible prefill figure from a fast one; and run TensorRT-LLM by either of its two paths, and say by which.
#
# **It takes** 3 hours: sections 1 to 7 are the core (90 minutes), 8 to 11 are marked *further*. It needs 2 cores and 2
# GB of memory; no GPU. Run unattended, all of it takes a few minutes.
#
# **You should know** what TTFT is (task 12.1), what continuous batching and a prefix cache are (task 12.2), and what
# quantization does to a weight.
#
# | section | what | minutes |
# |---|---|---|
# | 1 | the command that never worked, and what became of it | 10 |
# | 2, 3 | build an engine; the same words, faster? | 25 |
# | 4 | the price of a wrong shape, and of 8 bits | 20 |
# | 5, 6 | prefill: count it, measure it, hold it against the peak | 25 |
# | 7 | why a repeated prompt shows absurd speed | 10 |
# | 8 | further: who waits while a long prompt is computed | 20 |
# | 9 | further: TensorRT-LLM, both paths (most of it needs an NVIDIA GPU) | 40 |
# | 10, 11 | further: spot the impossible number; a Spark, simulated | 30 |
#
# **Check yourself** before you start:
#
# 1. What is computed before the first token of an answer?
# 2. How many GB do 8 billion weights take in bf16, in fp8, and in NVFP4 (4 bits, and an 8-bit scale for every 16)?
# 3. Do fewer bits a weight make *prefill* faster?
#
# <details><summary>Answers</summary>
#
# 1. The whole prompt: prefill. (Not sure? Task 12.1, section 3.)
# 2. 16, 8 and 4.5 GB.
# 3. Only where the hardware multiplies in them: a long prefill is bound by arithmetic. Fewer bytes alone help decode.
#
# </details>

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


# %% [markdown] id="s1"
# ## 1. The command that never worked, and what became of it
# An older course told learners to build a TensorRT-LLM engine with this. What is wrong with it?

# %% id="older-command"
OLDER = "python -m tensorrt_llm.commands.build --model_dir ./llama --dtype float16 --use_fused_mlp"
for piece in helpers.explain_command(OLDER):
    print(f"{piece.found}\n  today: {piece.why}\n  instead: {piece.instead}")

# %% [markdown] id="history"
# The idea behind it was sound. An **eager** engine runs a model's operations one by one, as Python calls them. The
# builder of an engine **ahead of time** (AOT) sees the whole graph first: it fuses operations, chooses kernels for this
# very processor and for the shapes that it is told, plans the memory, and *keeps the result*. TensorRT-LLM began that
# way: convert the checkpoint, run `trtllm-build`, serve the engine's directory. A built engine fits one kind of GPU,
# one version, one range of shapes.
#
# Since 1.0 TensorRT-LLM's default has been another backend, PyTorch's: it loads the checkpoint as it is, tunes its
# kernels and captures CUDA graphs while it starts, and keeps no engine. After 1.3.0rc20, in July 2026, the TensorRT
# backend and `trtllm-build` were removed. What an ahead-of-time build *is* can be seen on any machine: sections 2 to 4
# do it with ONNX Runtime, on a CPU. Section 9 is TensorRT-LLM itself.

# %% [markdown] id="s2"
# ## 2. Build an engine
# *Export* writes the course model as an ONNX graph: operators and weights, and nothing runs. *Compile* lets ONNX
# Runtime optimise the graph for this processor, and saves the result. An engine has a **shape profile**: how many
# sequences, new tokens of each, and tokens in the cache before them it takes. **Guess: how many seconds does the build
# take?** (If this notebook has run here before, the engine is only loaded, and the time is that of its build.)

# %% id="guess-build"
guess = None

# %% id="build"
aot_model = model if model in ("course", "course-heavy") else "course"
shapes = helpers.ShapeProfile("range", sequences=8, tokens=2048, past=4096)
built = helpers.build_engine(aot_model, profile=shapes, tell=print)
print(f"{built.state}; shapes: {built.profile}")
print(helpers.beside(guess, built.build_s, "s to build it"))

# %% [markdown] id="load-text"
# The second time nothing is built. The engine lies in a cache, and its key is made of everything that it depends on:
# a digest of the model's files, precision, profile, provider (here the CPU), the versions that built it, the kind of
# processor. Change one, and it is another engine. **Guess: how many times as fast as building is loading?**

# %% id="guess-load"
guess = None

# %% id="load"
started_s = time.perf_counter()
again = helpers.build_engine(aot_model, profile=shapes)
compiled = helpers.load_compiled(again)
load_s = time.perf_counter() - started_s
print(again.state, "-", helpers.beside(guess, built.build_s / load_s, "times as fast as building"))
print(f"checked and loaded in {load_s:.2f} s; built in {built.build_s:.2f} s")

# %% [markdown] id="damage-text"
# What if the cache is damaged? An engine that loads and answers nonsense would be worse than none. Cut the end off the
# largest file, and ask for the engine again:

# %% id="damage"
weights = max(again.folder.iterdir(), key=lambda path: path.stat().st_size)
content = weights.read_bytes()
weights.unlink()  # what is loaded keeps the old file
weights.write_bytes(content[:-4096])  # as after a full disk
repaired = helpers.build_engine(aot_model, profile=shapes, tell=print)
print(repaired.state)

# %% [markdown] id="s3"
# ## 3. The same words, faster?
# First the words: a faster engine that answers something else has gained nothing. Greedy answers of nano's own model
# (NumPy, eager) and of the compiled graph, under the same scheduler and with the same paged cache:

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
# Now prefill: prompts of 512 random tokens, one new token, on both engines in turn, one thread each. The prefix cache
# is off: with it, a later measurement with the same seed would find its prompts there and compute nothing (section 7).
# **Guess: how many times nano's rate does the compiled graph reach?**

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
print(helpers.beside(guess, gain.estimate, f"times nano's rate, interval {gain.low:.2f} to {gain.high:.2f}"))

# %% [markdown] id="faster-read"
# Matrix products are most of the arithmetic of a prefill, and NumPy's library does them well: a compiler gains in what
# lies between them. In a short step on a GPU, starting hundreds of small kernels from Python can take longer than their
# arithmetic. CUDA graphs and compilation save that, so they matter there most.
#
# An engine is of use when it is served. `launch` starts the server that nano has, with the graph as its model:

# %% id="serve"
with helpers.launch("onnxruntime", aot_model, max_num_seqs=4) as server:
    print(server.backend)
    print(server.chat("What is prefill?", max_tokens=48, temperature=0))
    aot_backend = server.backend

# %% [markdown] id="s4"
# ## 4. The price of a wrong shape, and of 8 bits
# A compiler that knows the shapes exactly leaves less to be decided while the engine runs. But an engine for *exactly*
# 256 new tokens computes 256 in every run, wanted or not. Three engines get the same question of some 20 tokens, and
# answer it with 16. **Guess: which share of what the last engine computes does nobody want, in %?**

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
print(helpers.beside(guess, 100 * (1 - wrong["wanted tokens"] / wrong["computed tokens"]), "% for nobody", "counted"))
shape_table = helpers.table(rows)
shape_table

# %% [markdown] id="shapes-read"
# Decoding is the waste: each run computes the whole shape for one wanted token. TensorRT's answer was several profiles
# in one engine, such as one for prefill and one for decode. A profile that is too *small* wastes nothing: a larger run
# is refused.

# %% id="too-small"
shaped = load_engine(aot_model, loaded=own, max_num_batched_tokens=512, max_model_len=512)
shaped.add_request(list(range(16, 316)), max_tokens=1)
try:
    shaped.run_until_done()
except helpers.UsageError as refusal:
    print(refusal)

# %% [markdown] id="int8-text"
# ### 8 bits
# *Dynamic* quantization stores the matrices' weights in 8 bits and rounds activations while the engine runs. Never look
# at its speed without its answers. **Guess: how many of the ten answers stay the same, and how many times the float32
# engine's rate does it reach?**

# %% id="guess-int8"
guess_same, guess_rate = None, None

# %% id="int8"
small = helpers.build_engine(aot_model, precision="int8", profile=shapes, tell=print)
engines["int8"] = load_engine(aot_model, loaded=helpers.load_compiled(small), max_num_seqs=8, prefix_caching=False)
answers["int8"] = answer_all(engines["int8"])
int8_s = time_prefill({"f32": engines["onnxruntime"], "int8": engines["int8"]}, 512, 7 if quick else 21)
int8_gain = helpers.ratio(*([1 / value for value in int8_s[name]] for name in ("f32", "int8")))
kept = sum(one == two for one, two in zip(answers["nano"], answers["int8"], strict=True))
print(helpers.beside(guess_same, kept, f"of {len(prompts)} answers the same"))
print(helpers.beside(guess_rate, int8_gain.estimate, f"times the rate, {int8_gain.low:.2f} to {int8_gain.high:.2f}"))

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
# A matrix of P weights costs 2 P operations a token: a multiplication and an addition each. Attention costs 4
# operations for each layer, element of the query and position looked at: 2 for the score, 2 for the weighted sum. Token
# number i looks at i positions, so that attention grows with the square of the prompt. The output head works once, for
# the last token. **Guess: at which prompt length does attention cost the course model as much as its matrices?**

# %% id="guess-crossing"
guess = None

# %% id="count"
shape = helpers.model_shape(aot_model)
matrices = shape.active_parameters - shape.head_parameters
crossing = matrices / (shape.layers * shape.heads * shape.head_size)
print(helpers.beside(guess, crossing, "tokens", "counted"))
rows = []
for length in (128, 1024, 4096):
    flops = helpers.prefill_step(shape, "f32", prompt_tokens=length).flops
    attention = 4 * shape.layers * shape.heads * shape.head_size * length * length / 2
    rows.append({"prompt tokens": length, "GFLOP": flops / 1e9, "a token, MFLOP": flops / length / 1e6})
    rows[-1]["of it attention"] = f"{attention / flops:.0%}"
helpers.table(rows)

# %% [markdown] id="count-read"
# For Llama-3.1-8B the same count gives 53,000 tokens. A wider model has more arithmetic in its matrices: they grow with
# the square of the width, attention only with the width.

# %% [markdown] id="s6"
# ## 6. Measure it, and hold it against the peak
# Unique prompts of several lengths, four tokens out, one user. **Guess: how many times as long does a prompt of 2,048
# tokens take as one of 256? And which share of this machine's peak, the rate of its matrix product, does prefill reach,
# in %?**

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
print(helpers.beside(guess_times, times, "times as long"))

# %% [markdown] id="peak-text"
# On a laptop the peak is the rate of NumPy's matrix product, measured before and after; the better one counts, since a
# machine that others use has good and bad moments. On a Spark it is an assumption: NVIDIA publishes one rate (FP4 *with
# sparsity*), and the dense rates of other precisions follow from it only by halving.

# %% id="peak"
best = max(one.matrix_flops_per_s for one in (limits, helpers.measure_limits(threads=1)))
rates = helpers.device("gb10").flops_per_s  # of a Spark, by precision: the low and the high assumption
peak = best if on_laptop else max(rates.get(server.precision, rates["bf16"]))
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
matrices = own_shape.active_parameters - own_shape.head_parameters
counted = matrices / (own_shape.layers * own_shape.heads * own_shape.head_size)
if pair_s > 0 and token_s > 0:
    print(f"the square costs as much as the line at {token_s / pair_s:,.0f} tokens; counted: {counted:,.0f}")
else:
    print("no square can be told from the scatter here: the lengths are too short, or this machine is too busy")

# %% id="share"
rows = []
for point, ttft_s in zip(points, ttfts_s, strict=True):
    computing_s = ttft_s - max(0.0, fixed_s)
    share = point["flops"] / computing_s / peak if computing_s > ttft_s / 2 else None
    rows.append({"prompt tokens": point["prompt_tokens"], "TTFT, ms": ttft_s * 1000})
    rows[-1] |= {"tokens/s": point["prompt_tokens"] / ttft_s, "GFLOP": point["flops"] / 1e9, "of the peak": share}
share = points[-1]["flops"] / max(1e-9, ttfts_s[-1] - max(0.0, fixed_s)) / peak
print(helpers.beside(guess_share, 100 * share, "% of the matrix peak, at the longest prompt"))
if share > 1:
    busier = "this machine was busier while its peak was measured than while it computed the prompts"
    print("above 100 %:", busier if on_laptop else "the assumed peak is too low, or something was not computed")
for row in rows:
    row["of the peak"] = "too short to say" if row["of the peak"] is None else f"{row['of the peak']:.0%}"
share_table = helpers.table(rows)
report_sections.append(helpers.Section("Prefill against the peak", f"Peak: {where}.", share_table))
share_table

# %% [markdown] id="share-read"
# Where does the rest go? Normalisation, rotation, softmax and memory traffic take time, and our count has no operations
# for them. And the graph built above computes the scores of later positions too, only to mask them out: work that the
# count leaves out. FlashAttention skips most of it, and never writes the scores to memory.

# %% [markdown] id="s7"
# ## 7. Why a repeated prompt shows absurd speed
# Ask an engine the same thing twice (on a laptop: llama.cpp), and do what many clients do: divide *all* tokens of the
# prompt by the time of its prefill. **Guess: how many times as fast does the second prefill seem?**

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
    told, true = (1000 * tokens / prompt_ms for tokens in (total, trap["computed"]))
    rows.append({"asked": asked, **trap, "told, tokens/s": told, "true, tokens/s": true})
if other is not server:
    other.stop()
print(helpers.beside(guess, rows[1]["told, tokens/s"] / rows[0]["told, tokens/s"], "times as fast, it seems"))
helpers.table(rows)

# %% [markdown] id="trap-read"
# The chip did not get faster; the second time it had less to compute. Ollama starts llama.cpp's server, and its
# counters invite this mistake: `prompt_eval_count` holds cached *and* new tokens, `prompt_eval_duration` the time of
# the new ones alone. A benchmark on Ollama that repeats its prompt publishes the column *told*. Three ways out: unique
# prompts (this course's default), the cache off, or the count of what was computed.

# %% [markdown] id="s8"
# ## 8. Further: who waits while a long prompt is computed
# Four users are being answered (the *writers*) when a prompt of 2,000 tokens arrives, and then six short questions. An
# engine computes at most so many tokens a step, its budget; the long prompt takes what the writers leave, in pieces.
# **Guess, as a factor: with a budget of 128 instead of 2,048 tokens, how does the wait for a first token of the short
# questions change, and how the largest gap between two tokens of a writer?** (0.5 is half as long, 2 is twice.)

# %% id="guess-visitors"
guess_wait, guess_gap = None, None

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
guesses = {"short ones, mean TTFT ms": guess_wait, "writers, largest gap ms": guess_gap}
print(f"{last['budget']}, as a factor of {first['budget']}:")
for what in [name for name in first if name != "budget"]:
    print(f"{what.removesuffix(' ms')}:", helpers.beside(guesses.get(what), last[what] / first[what], "times"))

# %% [markdown] id="visitors-why"
# Pieces are meant for the *writers*: each step yields their next token, and a small step is short. Newcomers wait for
# the whole of the long prompt whatever the budget: first come, first served, it takes what is left of every step. How
# long it takes does change. Each step has a fixed cost, and pieces make more steps. On the other hand *this* engine
# computes fewer scores: a piece has none of the positions behind its end, which the whole prompt computes and masks
# out. For newcomers there are other options (vLLM: `--long-prefill-token-threshold`).

# %% [markdown] id="s9"
# ## 9. Further: TensorRT-LLM
# Two paths under one name. The first is release 1.2.1, the last stable one with `trtllm-build`: an engine is built, as
# in section 2. Below are the plan's notes and the main lines of the script that would run. The script checks version,
# memory and disk before it starts, goes on after a stop with the step that it was at, and keeps engines under a key.

# %% id="plan-built"
chosen = {"container": True, "precision": "fp8", "max_num_seqs": 8, "max_model_len": 8192}
older = helpers.make_plan("tensorrt-llm", "llama-3.1-8b", **chosen, extra={"release": "1.2.1"})
print("\n".join(f"- {note}" for note in older.notes), "\n")
(script,) = older.files.values()
print("\n".join(line[:150] for line in script.splitlines() if "python3 " in line or "trtllm-" in line))

# %% [markdown] id="plan-tuned-text"
# On the second path nothing is built: the PyTorch backend loads the checkpoint, and is *tuned* by a few options and a
# file. They set what a build was told before: batch and token budget, chunked prefill, CUDA graphs (shapes again). The
# precision comes with the checkpoint.

# %% id="plan-tuned"
newer = helpers.make_plan(
    "tensorrt-llm", "llama-3.1-8b", **chosen, extra={"release": "1.3.0rc13", "chunked_prefill": True}
)
print("\n".join(f"- {note}" for note in newer.notes), "\n")
print(next(text for path, text in newer.files.items() if path.endswith("config.yml")))

# %% [markdown] id="run-text"
# Where an NVIDIA GPU is, TensorRT-LLM is launched by name and measured like any engine: time to start, prefill by
# prompt length with unique prompts, and the same greedy questions to every configuration, so that no speed is told
# without its answers. **Guess before you run it: which configuration starts slowest, and which changes answers?**

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
# NVIDIA's own tool measures the same: the plan holds a script for `trtllm-bench` with one token out. Copy the reports
# that it wrote into the folder named below, and this cell shows them, as *recorded*.

# %% id="bench"
bench_folder = Path(run_dir) / "trtllm-bench"
if bench_folder.is_dir():
    for report in helpers.read_prefill_reports(bench_folder):
        print(f"{report.engine}: {report.prompt_tokens:,.0f} tokens, {report.prefill_tokens_per_s:,.0f} tokens/s")
else:
    print(f"no reports in {bench_folder.name}: {newer.notes[2]}")

# %% [markdown] id="s10"
# ## 10. Further: spot the impossible number
# Prefill figures of a DGX Spark, published by others, **not measured here**. Each needs about two operations for every
# active weight and token. The limit is generous: half of NVIDIA's one published rate (1 PFLOP/s in FP4 *with
# sparsity*), and half of that again for fp8. **Guess: how many of them need more than the chip has?**

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
print(
    helpers.beside(guess, sum(row["verdict"] == "impossible" for row in rows), f"of {len(rows)} impossible", "computed")
)
published_table = helpers.table(rows)
words = "Published by others; the limit is computed."
report_sections.append(helpers.Section("Published prefill figures", words, published_table))
published_table

# %% [markdown] id="impossible-read"
# An impossible figure need not be a lie: a prompt that was in a cache (section 7), or a time that belongs to something
# else, is enough. A figure a few per cent above the limit is not refuted, only not to be believed: the limit is an
# assumption, weights are rounded, and no engine reaches a peak. The arithmetic of section 5 takes a minute.

# %% [markdown] id="s11"
# ## 11. Further: a Spark, simulated
# No Spark at hand? The course's simulator runs nano's scheduler on a virtual clock. The time of a step follows from its
# bytes and operations, fitted to published figures. What it says is **simulated**: a figure, an interval that should
# hold in 80 % of cases, and a note where it goes beyond what was published. **Guess: how many times the prefill rate of
# bf16 does NVFP4 have, at 2,048 tokens?**

# %% id="guess-simulated"
guess = None


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
rates = {row["precision"]: row["prefill, tokens/s"] for row in simulated_rows if row["prompt tokens"] == 2048}
print(helpers.beside(guess, rates["nvfp4"] / rates["bf16"], "times bf16's rate", "simulated"))
simulated_table

# %% [markdown] id="s12"
# ## The report

# %% id="report"
read = [(Path(point["bundle"]), helpers.load_bundle(run_dir / point["bundle"])) for point in points]
report = helpers.build_report(read, title="Prefill, and engines built ahead of time", more=report_sections)
rate = lengths[-1] / ttfts_s[-1]
headline = f"A prompt of {lengths[-1]:,} tokens is computed at {rate:,.0f} tokens/s, {share:.0%} of the matrix peak"
report = replace(report, headline=f"{headline} ({where}).")
html, markdown = helpers.write_report(report, run_dir)
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="milestones-text"
# ## Milestones
# The judges compute the curve and the share again from the records. A built engine counts if it was loaded the second
# time, says what nano says, and was timed beside it; a slower one counts too. TensorRT-LLM counts by either path, and
# the evidence names the path.

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
if "fp8" in backends:
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
