# %% [markdown] id="intro"
# # Lab 12.3: Count prefill, measure it, build an engine
#
# You write what decides whether a prefill figure means anything: how many operations a prompt takes, which share of the
# machine's peak was reached, which counters count what was never computed, and what a fixed shape computes for nobody.
# Then you build an engine ahead of time, hold it against nano, and judge what others have published.
#
# **Time**: 90 minutes for parts 1 to 3; parts 4 and 5, *further*, take 60 more. **Needs**: 2 cores, 2 GB of memory, no
# GPU. **You should know** what TTFT and a prefix cache are (tasks 12.1 and 12.2).
#
# Every exercise is one function. `helpers.check` tries it on small cases with known answers; it tells you what does not
# hold and, if it knows your mistake, which one it is. The guided notebook `03_tensorrt_llm_engine` shows the same ideas
# at work; when you are stuck, compare with the worked answers in `solutions/`.

# %% id="threads"
import os

# One thread for every engine, and for the peak that they are held against; NumPy reads it when it is imported.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"))

# %% id="setup"
import time
from typing import Any

import numpy as np

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

# %% [markdown] id="part-1"
# ## Part 1: what a prompt costs
# ### Exercise 1: operations, from the config
# A matrix of P weights costs 2 P operations a token: a multiplication and an addition each. Count the matrices of all
# layers: query (all heads), key and value (KV heads only), output, and the three of the MLP. The output head, hidden
# times vocabulary, works for the *last* token alone: nobody asks what follows the others. Then attention: token `i`,
# counted from 1, looks at `i` positions. Each position costs 4 operations for every layer and element of the query: 2
# for the score, 2 for the weighted sum.


# %% id="ex1-prefill-flops"
def prefill_flops(shape: dict[str, int], prompt_tokens: int) -> int:
    """Operations of computing a prompt up to its first new token.

    Args:
        shape: layers, hidden, heads, kv_heads, head_size, intermediate, vocabulary.
    """
    ### BEGIN SOLUTION add up matrices, attention and the head
    query = shape["heads"] * shape["head_size"]
    key_value = 2 * shape["kv_heads"] * shape["head_size"]
    layer = shape["hidden"] * (2 * query + key_value) + 3 * shape["hidden"] * shape["intermediate"]
    positions = prompt_tokens * (prompt_tokens + 1) // 2
    matrices = 2 * shape["layers"] * layer * prompt_tokens
    attention = 4 * shape["layers"] * query * positions
    return matrices + attention + 2 * shape["hidden"] * shape["vocabulary"]
    ### END SOLUTION


# %% id="check-ex1-prefill-flops"
helpers.check("ex1-prefill-flops", prefill_flops)

# %% [markdown] id="ex2-text"
# ### Exercise 2: linear, then quadratic
# The cost of the matrices grows with the prompt, that of attention with its square. At which length are the two equal?
# Take half the prompt as what a token looks at on average, and leave the output head out.


# %% id="ex2-crossing"
def crossing_tokens(parameters: int, layers: int, heads: int, head_size: int) -> float:
    """Prompt length at which attention costs as many operations as the layers' matrices.

    Args:
        parameters: weights of the layers' matrices, all layers together.
    """
    ### BEGIN SOLUTION set 2 P equal to the attention of one average token
    return 2 * parameters / (4 * layers * heads * head_size / 2)
    ### END SOLUTION


# %% id="check-ex2-crossing"
helpers.check("ex2-crossing", crossing_tokens)

# %% [markdown] id="part-2"
# ## Part 2: measure prefill
# ### Exercise 3: a share of the peak
# Operations divided by seconds are a rate. Divide it by the rate of this machine's matrix product, and it is a share of
# the peak. TTFT has a part that does not grow with the prompt (network, scheduling, sampling): take it off first. None
# if nothing is left.


# %% id="ex3-share-of-peak"
def share_of_peak(flops: float, ttft_s: float, overhead_s: float, peak_flops_per_s: float) -> float | None:
    """Achieved operations a second as a share of the peak, 0 to 1 (above 1 is impossible, and worth knowing)."""
    ### BEGIN SOLUTION rate of the part that computes, by the peak
    computing_s = ttft_s - overhead_s
    return flops / computing_s / peak_flops_per_s if computing_s > 0 else None
    ### END SOLUTION


# %% id="check-ex3-share-of-peak"
helpers.check("ex3-share-of-peak", share_of_peak)

# %% [markdown] id="ex4-text"
# ### Exercise 4: the curve
# Fit $t = \text{fixed} + \text{token} \cdot n + \text{pair} \cdot n^2$ to the measured times, by least squares.


# %% id="ex4-prefill-curve"
def prefill_curve(prompt_tokens: list[int], ttft_s: list[float]) -> dict[str, float]:
    """The three parts of prefill.

    Returns:
        {"fixed_s", "token_s": for each token, "pair_s": for each token squared}
    """
    ### BEGIN SOLUTION fit a polynomial of degree 2
    pair_s, token_s, fixed_s = np.polyfit(prompt_tokens, ttft_s, 2)
    return {"fixed_s": float(fixed_s), "token_s": float(token_s), "pair_s": float(pair_s)}
    ### END SOLUTION


# %% id="check-ex4-prefill-curve"
helpers.check("ex4-prefill-curve", prefill_curve)

# %% [markdown] id="ex5-text"
# ### Exercise 5: the counter that counts what was never computed
# A server with a prefix cache says: `cached` tokens were there, `computed` were new, and the new ones took `prompt_ms`.
# A client that divides *all* tokens of the prompt by that time may get a rate that no chip has. Ollama's counters
# invite this mistake: `prompt_eval_count` holds both kinds of tokens, `prompt_eval_duration` covers the new ones only.


# %% id="ex5-cache-trap"
def prefill_rates(cached: int, computed: int, prompt_ms: float) -> dict[str, float | None]:
    """Tokens a second as a careless client tells it, and as it was.

    Returns:
        {"told": of all tokens, "true": of those that were computed}; None and None without any time.
    """
    ### BEGIN SOLUTION divide two counts by the same time
    if not prompt_ms:
        return {"told": None, "true": None}
    seconds = prompt_ms / 1000
    return {"told": (cached + computed) / seconds, "true": computed / seconds}
    ### END SOLUTION


# %% id="check-ex5-cache-trap"
helpers.check("ex5-cache-trap", prefill_rates)

# %% [markdown] id="measure-text"
# ### Measure it
# Unique prompts of several lengths on an engine of your choice, four tokens out. **Guess first: how many times as long
# does a prompt of 2,048 tokens take as one of 256?**

# %% id="guess"
guess = None

# %% id="measure"
on_laptop = helpers.choose_profile(helpers.read_hardware()) == "laptop"
own_engine = "onnxruntime" if engine == "auto" and on_laptop else engine
limits = helpers.measure_limits(threads=1)
own_model = model if on_laptop or model != "course" else "llama-3.1-8b"
options = {"threads": 1} if own_engine in ("onnxruntime", "nano", "llama.cpp") else {}
server = helpers.launch(own_engine, own_model, max_num_seqs=2, **options)
lengths = [128, 256, 512, 1024, 2048]
points, ttfts_s = [], []
for length in lengths:
    folder = helpers.new_folder(run_dir, f"bundle-{length}-tokens")
    workload = helpers.unique_prompts(length, 4, seed=seed)
    run = helpers.measure(server, workload, helpers.ClosedLoop(1), 3 if quick else 12, out=folder)
    points.append({"bundle": folder.name, "prompt_tokens": length})
    ttfts_s.append(run.metrics.ttft_s.p50)
print(f"2,048 tokens take {ttfts_s[-1] / ttfts_s[1]:.1f} times as long as 256; guessed: {guess}")

# %% [markdown] id="read-text"
# Now your functions: the shape comes from the model's config, the peak from a matrix product (on a Spark it is an
# assumption, from published figures).

# %% id="read"
best = max(one.matrix_flops_per_s for one in (limits, helpers.measure_limits(threads=1)))
rates = helpers.device("gb10").flops_per_s  # of a Spark, by precision: the low and the high assumption
peak = best if on_laptop else max(rates.get(server.precision, rates["bf16"]))
config = helpers.model_shape(own_model)
shape = {name: getattr(config, name) for name in ("layers", "hidden", "heads", "kv_heads", "head_size", "intermediate")}
shape["vocabulary"] = config.vocabulary
points = [{**point, "flops": prefill_flops(shape, point["prompt_tokens"])} for point in points]
curve = prefill_curve(lengths, ttfts_s)
share = share_of_peak(points[-1]["flops"], ttfts_s[-1], max(0.0, curve["fixed_s"]), peak)
print({name: f"{value:.3g}" for name, value in curve.items()}, f"share of the peak at 2,048 tokens: {share:.0%}")

# %% [markdown] id="spring-text"
# Now spring the trap: the same prompt twice. On a laptop llama.cpp is asked, which reports all three figures.
# **Guess first: which of your two rates changes more?**

# %% id="spring"
other = helpers.launch("llama.cpp", "course", max_num_seqs=1) if on_laptop else server
question = "Explain this in one sentence: " + "a prompt that was seen before is not computed again. " * 12
for _ in range(2):
    reply = other.chat(question, max_tokens=4, temperature=0)
    cached = reply.usage.cached_tokens or 0
    prompt_ms = reply.timings.get("prompt_ms") or 1000 * reply.record.ttft_s
    trap = {"cached": cached, "computed": reply.usage.prompt_tokens - cached, "prompt_ms": prompt_ms}
    print(trap, prefill_rates(**trap))
if other is not server:
    other.stop()

# %% [markdown] id="part-3"
# ## Part 3: an engine built ahead of time
# ### Exercise 6: pieces
# A long prompt is computed in pieces, so that requests that are decoding need not wait for all of it. A step computes
# `budget` tokens at most; each of the `decoding` others takes one of them first. How long are the pieces?


# %% id="ex6-chunks"
def chunks(prompt_tokens: int, budget: int, decoding: int) -> list[int]:
    """Tokens of the prompt in each step, in order; empty if the others leave no room."""
    ### BEGIN SOLUTION fill what is left of each step
    room = budget - decoding
    if room <= 0:
        return []
    whole, rest = divmod(prompt_tokens, room)
    return [room] * whole + ([rest] if rest else [])
    ### END SOLUTION


# %% id="check-ex6-chunks"
helpers.check("ex6-chunks", chunks)

# %% [markdown] id="ex7-text"
# ### Exercise 7: what a fixed shape computes for nobody
# An engine built for exactly `run_tokens` new tokens computes all of them in every run, whatever is in it. One prompt,
# then `output_tokens` tokens: the first of them comes with the prompt's last run, each further one takes a run that
# holds one wanted token. Which share of the computed tokens did nobody want?


# %% id="ex7-filled-up"
def wasted_share(prompt_tokens: int, output_tokens: int, run_tokens: int) -> float:
    """Computed tokens that nobody wanted, as a share of all that were computed."""
    ### BEGIN SOLUTION count runs; compare their tokens with the wanted ones
    runs = -(-prompt_tokens // run_tokens) + output_tokens - 1
    wanted = prompt_tokens + output_tokens - 1
    return 1 - wanted / (runs * run_tokens)
    ### END SOLUTION


# %% id="check-ex7-filled-up"
helpers.check("ex7-filled-up", wasted_share)

# %% [markdown] id="ex8-text"
# ### Exercise 8: which engine may be used?
# Built engines are kept. One may be used if its model (a digest of the weights) and version are the wanted ones, and
# its shape has room for the wanted tokens. A `range` computes the tokens that are there, a `fixed` shape always all of
# its `tokens`. Of the engines that may be used, take the one that computes the least; None if one has to be built.


# %% id="ex8-usable-engine"
def usable_engine(built: list[dict[str, Any]], wanted: dict[str, Any]) -> str | None:
    """Name of the engine to load.

    Args:
        built: each {"name", "model", "version", "kind": "range" or "fixed", "tokens"}.
        wanted: {"model", "version", "tokens"}.
    """
    ### BEGIN SOLUTION keep those that fit, take the cheapest
    fitting = [
        (one["tokens"] if one["kind"] == "fixed" else wanted["tokens"], one["name"])
        for one in built
        if (one["model"], one["version"]) == (wanted["model"], wanted["version"]) and one["tokens"] >= wanted["tokens"]
    ]
    return min(fitting)[1] if fitting else None
    ### END SOLUTION


# %% id="check-ex8-usable-engine"
helpers.check("ex8-usable-engine", usable_engine)

# %% [markdown] id="ex9-text"
# ### Exercise 9: has it paid for itself?
# Building takes time once; after that each prompt may be computed faster. After how many requests has the build paid
# for itself? None if it never does.


# %% id="ex9-break-even"
def break_even_requests(build_s: float, prompt_tokens: int, eager_rate: float, built_rate: float) -> int | None:
    """Requests after which the build has paid for itself.

    Args:
        eager_rate, built_rate: prompt tokens a second without and with the built engine.
    """
    ### BEGIN SOLUTION divide the build by what one request saves
    import math

    saved_s = prompt_tokens / eager_rate - prompt_tokens / built_rate
    return math.ceil(build_s / saved_s) if saved_s > 0 else None
    ### END SOLUTION


# %% id="check-ex9-break-even"
helpers.check("ex9-break-even", break_even_requests)

# %% [markdown] id="build-text"
# ### Build one
# The course model as an ONNX graph, compiled by ONNX Runtime. Run the cell twice. **Guess before the second time: which
# of its figures change?**

# %% id="build"
shapes = helpers.ShapeProfile("range", 4, 512, 2048)
helpers.build_engine("course", profile=shapes, tell=print)
started_s = time.perf_counter()
built = helpers.build_engine("course", profile=shapes)
compiled = helpers.load_compiled(built)
load_s = time.perf_counter() - started_s
row = {"precision": built.precision, "profile": str(shapes), "build_s": built.build_s, "load_s": load_s}
row |= {"engine_bytes": built.engine_bytes, "state": built.state}
helpers.table([row])

# %% [markdown] id="same-text"
# Same weights, same tokens? Greedy answers of nano's own model and of the compiled graph, under the same scheduler:

# %% id="same"
tokenizer = helpers.load_tokenizer("course")
questions = helpers.prompt_class("predictable")[:4] + helpers.prompt_class("semi")[:4]
prompts = [tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": text}])) for text in questions]
sides = {"nano": None, "onnxruntime": compiled}
limits_of = {"max_num_seqs": 4, "max_model_len": 2048, "prefix_caching": False}
engines = {name: load_engine("course", loaded=one, **limits_of) for name, one in sides.items()}
answers = {}
for name, one in engines.items():
    requests = [one.add_request(prompt, max_tokens=24) for prompt in prompts]
    one.run_until_done()
    answers[name] = [request.ids[request.prompt_tokens :] for request in requests]
print({name: tokenizer.decode(found[0]) for name, found in answers.items()})

# %% [markdown] id="time-text"
# And faster? The same prompts of 512 tokens in turn on both; seven times, so that a slow minute hits both.

# %% id="time"
random = np.random.default_rng(seed)
prefill_s: dict[str, list[float]] = {name: [] for name in engines}
for _ in range(7):
    prompt = random.integers(16, 2048, 512).tolist()
    for name, one in engines.items():
        one.add_request(prompt, max_tokens=1)
        started_s = time.perf_counter()
        one.run_until_done()
        prefill_s[name].append(time.perf_counter() - started_s)
gain = helpers.ratio([1 / s for s in prefill_s["nano"]], [1 / s for s in prefill_s["onnxruntime"]])
print(f"prefill: {gain.estimate:.2f} times nano's rate, interval {gain.low:.2f} to {gain.high:.2f}")
rates = [512 / float(np.median(prefill_s[name])) for name in ("nano", "onnxruntime")]
print("paid for after so many requests of 512 tokens:", break_even_requests(built.build_s, 512, *rates))

# %% [markdown] id="wrong-text"
# The price of a wrong shape: an engine for exactly 128 tokens a run answers a question with 12 tokens. **Guess first:
# which share of what it computes does nobody want?**

# %% id="wrong"
fixed = helpers.build_engine("course", profile=helpers.ShapeProfile("fixed", 1, 128, 256))
wrong_model = helpers.load_compiled(fixed)
wrong_engine = load_engine("course", loaded=wrong_model, max_num_seqs=1, max_num_batched_tokens=128, max_model_len=256)
wrong_engine.add_request(prompts[0], max_tokens=12, ignore_eos=True)
wrong_engine.run_until_done()
wrong = {"wanted_tokens": wrong_model.wanted_tokens, "computed_tokens": wrong_model.computed_tokens}
print(wrong, f"for nobody, by your function: {wasted_share(len(prompts[0]), 12, 128):.0%}")

# %% [markdown] id="milestones-text"
# ### Milestones
# The judges compute the curve and the share again from the records. An engine counts if the second call loaded it, if
# it says what nano says, and if it was timed beside nano; a slower engine counts too.

# %% id="milestone-12-3-aot"
helpers.milestone(
    "12.3.aot",
    evidence={"engines": [row], "answers": answers, "prefill_s": prefill_s, "wrong_profile": wrong},
    run_dir=run_dir,
    backend=f"ONNX Runtime {built.precision}, CPU",
)

# %% id="milestone-12-3-prefill"
helpers.milestone(
    "12.3.prefill",
    evidence={"points": points, "peak_flops_per_s": peak, "curve": curve, "share": share, "trap": trap},
    run_dir=run_dir,
    backend=server.backend,
)

# %% [markdown] id="part-4"
# ## Part 4, further: numbers of others
# ### Exercise 10: spot the impossible number
# Prefill does two operations for each *active* weight and token. Which of these published rates need more than the
# chip has? In alphabetical order.


# %% id="ex10-impossible"
def impossible(figures: list[dict[str, Any]], dense_flops_per_s: float) -> list[str]:
    """Names of the figures that cannot be.

    Args:
        figures: each {"name", "active_parameters", "prefill_tokens_per_s", "sparks": machines}.
        dense_flops_per_s: peak of one machine, without sparsity.
    """
    ### BEGIN SOLUTION compare the operations needed with those that there are
    return sorted(
        one["name"]
        for one in figures
        if 2 * one["active_parameters"] * one["prefill_tokens_per_s"] > dense_flops_per_s * one["sparks"]
    )
    ### END SOLUTION


# %% id="check-ex10-impossible"
helpers.check("ex10-impossible", impossible)

# %% [markdown] id="published-text"
# Your function on what was published for DGX Sparks (not measured here; active parameters by the models' cards):

# %% id="published"
ACTIVE = {"Llama-3.1-8B": 8.0e9, "gpt-oss-20b": 3.6e9, "gpt-oss-120b": 5.1e9, "Qwen3-Coder-30B-A3B": 3.3e9}
ACTIVE |= {"Qwen2.5-VL-7B": 7.6e9, "Qwen3-235B-A22B": 22e9}
figures = [
    {
        "name": f"{figure.engine}, {figure.model}",
        "active_parameters": ACTIVE[figure.model],
        "prefill_tokens_per_s": figure.prefill_tokens_per_s,
        "sparks": figure.sparks,
    }
    for figure in helpers.published()
    if figure.model in ACTIVE and figure.prefill_tokens_per_s
]
print(impossible(figures, max(helpers.device("gb10").flops_per_s["nvfp4"])))

# %% [markdown] id="ex11-text"
# ### Exercise 11: what a lower precision changed
# A faster precision is worth its speed only if the answers stay. For each pair of greedy answers: are they the same,
# and which share of the reference's tokens comes before the first difference? After it the two continue different
# texts, and a comparison says nothing more.


# %% id="ex11-agreement"
def agreement(reference: list[list[int]], other: list[list[int]]) -> dict[str, float]:
    """How far two sets of answers agree.

    Returns:
        {"answers": share that are the same, "tokens": mean share of the reference before the first difference}
    """
    ### BEGIN SOLUTION count equal beginnings
    shares = []
    for one, two in zip(reference, other, strict=True):
        same = 0
        while same < min(len(one), len(two)) and one[same] == two[same]:
            same += 1
        shares.append(same / len(one))
    equal = sum(one == two for one, two in zip(reference, other, strict=True))
    return {"answers": equal / len(reference), "tokens": sum(shares) / len(shares)}
    ### END SOLUTION


# %% id="check-ex11-agreement"
helpers.check("ex11-agreement", agreement)

# %% [markdown] id="int8-text"
# Put it to use: the matrices' weights in 8 bits, a quarter of their size. **Guess: how many of the eight answers stay
# the same?**

# %% id="int8"
small = helpers.build_engine("course", precision="int8", profile=shapes, tell=print)
rounded = load_engine("course", loaded=helpers.load_compiled(small), **limits_of)
requests = [rounded.add_request(prompt, max_tokens=24) for prompt in prompts]
rounded.run_until_done()
print(agreement(answers["nano"], [request.ids[request.prompt_tokens :] for request in requests]))
print(f"{small.engine_bytes / 1e6:.1f} MB instead of {built.engine_bytes / 1e6:.1f} MB")

# %% [markdown] id="part-5"
# ## Part 5, further: TensorRT-LLM
# ### Exercise 12: does this version still build engines?
# Up to 1.3.0rc20, TensorRT-LLM had `trtllm-build`, which builds engines ahead of time, as you built one above. Later
# versions only have the PyTorch backend, which loads the checkpoint as it is. Versions look like `1.2.1` or
# `1.3.0rc13`; a final release comes after its candidates.


# %% id="ex12-still-builds"
def still_builds(version: str) -> bool:
    """Whether this version has trtllm-build."""
    ### BEGIN SOLUTION compare numbers, and put a final release behind its candidates
    import math
    import re

    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?", version)
    assert found is not None
    major, minor, patch = (int(part) for part in found.group(1, 2, 3))
    candidate = float(found.group(4) or math.inf)
    return (major, minor, patch, candidate) <= (1, 3, 0, 20)
    ### END SOLUTION


# %% id="check-ex12-still-builds"
helpers.check("ex12-still-builds", still_builds)

# %% [markdown] id="trtllm-text"
# With an NVIDIA GPU, the guided notebook's section 9 runs TensorRT-LLM, and the milestone counts there. Without one,
# read what the course plans for three releases. 1.3.0rc13 still has `trtllm-build`, deprecated; the plan uses the
# PyTorch backend, which has been the default since 1.0.

# %% id="trtllm-plan"
for release in ("1.2.1", "1.3.0rc13", "1.3.0rc29"):
    plan = helpers.make_plan("tensorrt-llm", "llama-3.1-8b", container=True, extra={"release": release})
    print(release, "has trtllm-build:", still_builds(release), "|", plan.notes[1])
server.stop()

# %% id="trtllm-evidence"
tensorrt_llm = None  # on a machine with an NVIDIA GPU: what section 9 of the guided notebook collects

# %% id="milestone-12-3-tensorrt-llm"
helpers.milestone("12.3.tensorrt-llm", evidence=tensorrt_llm, run_dir=run_dir, backend="")

# %% [markdown] id="think"
# ### To think about
# - An engine is built for 8 sequences of 4,096 tokens, and your users send 40 of 500. What would you build instead?
# - A colleague's prefill figure is 30 times yours. Which three questions do you ask before you envy the machine?
# - Why does the PyTorch path need no build, and what of the build's work does it do at its first request?
