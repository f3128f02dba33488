# %% [markdown] id="intro"
# # Task 12.2: vLLM and continuous batching
#
# **After this task you can** say what an engine does in one step, and why a batch that requests join and leave gives
# more than one that waits for its slowest member; read who holds which block of the KV cache; put a load on vLLM, see
# it batch in its own metrics, and say how many users may come; and name the term of the step's time that a batch saves,
# here and on a Spark.
#
# **It takes** 2 hours: sections 1 to 6 are the core (75 minutes), 7 to 9 are marked *further*; 10 is the report. It
# needs 2 cores and 2 GB of memory; no GPU. Run unattended, all of it takes about a minute; some minutes more where vLLM
# is installed.
#
# **You should know** what prefill, decode, TTFT and TPOT are (task 12.1), and what a KV cache is for.
#
# | section | what | minutes |
# |---|---|---|
# | 1, 2 | a race; who sits where | 20 |
# | 3 | one step: budget, chunked prefill | 15 |
# | 4, 5 | the KV cache in blocks; shared prefixes | 20 |
# | 6 | a real engine under load; milestone 1 | 20 |
# | 7 | further: vLLM for real; milestone 2 | 20 |
# | 8, 9 | further: why it gains, here and on a Spark; two processes, graphs | 20 |
# | 10 | the report; to think about | 5 |

# %% [markdown] id="entry-check"
# ## Before you start
# Three questions. Where your answer differs from the one below, go back to task 12.1 first.
#
# 1. A prompt has 300 tokens, the answer 50. How many steps does that take, if a step may compute the whole prompt?
# 2. What would each of these steps have to compute again if there were no KV cache?
# 3. A request waits two seconds in a queue, and is then answered at full speed. Which of TTFT and TPOT shows it?
#
# <details><summary>Answers</summary>
#
# 1. 50: the first computes the prompt and gives the first token, each of the others gives one more.
# 2. The keys and values of all tokens before the new one.
# 3. TTFT. TPOT begins with the first token.
#
# </details>

# %% id="threads"
import os

# nano computes on one thread, whatever it is compared with; NumPy reads this when it is first imported.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}

# %% id="setup"
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from IPython.display import display

import helpers
from helpers.nano.batch import Batch, Piece
from helpers.nano.engine import Engine, load_engine
from helpers.nano.model import load_model
from helpers.nano.request import SamplingOptions

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)
profile = helpers.choose_profile(helpers.read_hardware())
report_sections = []  # what the sections below add to the report
not_run: dict[str, str] = {}  # engine -> what it needs

# %% [markdown] id="guessing"
# ## How to read this notebook
# Before each measurement you are asked for a guess. Write it into its cell (`guess = 2.0`) before you run the next
# one. Every sentence about a result is made from what was measured a moment ago, on this machine; what was published by
# others is marked so.
#
# Sections 1 to 5 run **nano**, the course's small engine (`helpers/nano`, NumPy): its scheduler and its block manager
# are as small as they can be, and you can read them. Sections 6 and 7 run real ones.


# %% [markdown] id="s1"
# ## 1. A race
# Two engines, the same model, the same 48 requests (more in full mode). The answers have between 8 and 64 tokens; no
# engine knows beforehand how many. Each engine has 8 *seats*: it computes at most 8 requests at once.
#
# - **Static batching** seats 8 requests and computes until the last of them has its answer. Then it seats the next 8.
# - **Continuous batching** seats the next request as soon as a seat is free.
#
# They take turns on this machine, and each has a clock that counts its own steps only: the one whose clock is behind
# computes next. **Guess: how many times the tokens a second of static batching will continuous batching give?**

# %% id="guess-race"
guess = None

# %% id="load"
SEATS = 8
jobs = helpers.mixed_load(48 if quick else 96, prompt_tokens=(8, 48), output_tokens=(8, 64), seed=seed)
nano_model = load_model("course")


def make_engine(batching: str = "continuous", **options: Any) -> Engine:
    """nano with 8 seats, and room for 256 tokens a request."""
    options = {"max_num_seqs": SEATS, "max_num_batched_tokens": 256, "prefix_caching": False, **options}
    return load_engine(loaded=nano_model, batching=batching, **{"max_model_len": 256, "block_size": 16, **options})


# %% id="standings"
board = display({"text/plain": "ready"}, raw=True, display_id=True)


def show_standings(laps: dict[str, helpers.Lap]) -> None:
    """The state of the race, in the place above."""
    lines = []
    for name, lap in laps.items():
        count, asked = lap.finished, len(lap.answers)
        bar = "█" * round(30 * count / asked)
        lines.append(f"{name:<11}{bar:·<30} {count:>3} of {asked} answers, {lap.clock_s:6.2f} s")
    board.update({"text/plain": "\n".join(lines)}, raw=True)


# %% id="race"
engines = {"static": make_engine("static"), "continuous": make_engine()}
laps = helpers.race(engines, jobs, show_standings)
gain = laps["continuous"].output_tokens_per_s / laps["static"].output_tokens_per_s
print(helpers.beside(guess, gain, "times the tokens a second of static batching"))
texts = [{name: answer.ids for name, answer in lap.answers.items()} for lap in laps.values()]
print("the same tokens from both:", texts[0] == texts[1])

# %% [markdown] id="s2"
# ## 2. Who sits where
# A row is a seat, the steps go from left to right, the number in a bar is the request that sits there. First static
# batching. **Where is time lost?**

# %% id="timeline-static"
helpers.plot_timeline(engines["static"].trace.records, "Static batching: who sits where", slots=True)

# %% id="timeline-continuous"
helpers.plot_timeline(engines["continuous"].trace.records, "Continuous batching: who sits where", slots=True)

# %% [markdown] id="seats-text"
# The crossed parts are seats of requests that have their answer: they are computed all the same, because a static batch
# keeps its shape to its end. In numbers, from the traces of both:


# %% id="seats"
def lap_row(name: str, lap: helpers.Lap) -> dict[str, Any]:
    """A lap as a row of a table."""
    return {
        "batching": name,
        "steps": len(lap.steps),
        "requests that gain from a step": lap.mean_batch,
        "places computed for nobody": f"{lap.batch_waste:.0%}",
        "tokens/s": lap.output_tokens_per_s,
        "TTFT p50, ms": lap.ttft_s.p50 * 1000,
        "TTFT p90, ms": lap.ttft_s.p90 * 1000,
    }


seats_table = helpers.table([lap_row(name, lap) for name, lap in laps.items()])
report_sections.append(helpers.Section("Two kinds of batching", "Measured: nano, one race.", seats_table))
seats_table

# %% [markdown] id="interval-text"
# One race is an anecdote. Four more, and the gain gets its interval.

# %% id="interval"
races = [laps]
for _ in range(4):
    races.append(helpers.race({"static": make_engine("static"), "continuous": make_engine()}, jobs))
rates = [[race[side].output_tokens_per_s for race in races] for side in ("static", "continuous")]
ratio = helpers.ratio(*rates)
print(f"continuous batching: {ratio.estimate:.2f} times, interval {ratio.low:.2f} to {ratio.high:.2f}, 5 races")
counted = len(laps["static"].steps) / len(laps["continuous"].steps)
print(f"counted in steps alone: {counted:.2f} times")
dearer = "costs more on average: the same prompts are read in fewer steps"
print("a step of the continuous batch", dearer if counted > ratio.estimate else "costs no more on average")

# %% [markdown] id="poisson-text"
# ### When users come one by one
# Users do not come all at once. Let them arrive at random moments (Poisson), at four fifths of the requests a second
# that static batching managed in the race. **Guess: how many times longer is the p90 of the time to first token with
# static batching?**

# %% id="guess-poisson"
guess = None

# %% id="poisson"
capacity = len(jobs) / laps["static"].clock_s
arriving = helpers.mixed_load(
    32 if quick else 96, prompt_tokens=(8, 48), output_tokens=(8, 64), rate_per_s=0.8 * capacity, seed=seed + 1
)
in_turn = helpers.race({"static": make_engine("static"), "continuous": make_engine()}, arriving)
waits_s = {name: lap.ttft_s.p90 for name, lap in in_turn.items()}
print(f"{0.8 * capacity:.1f} requests/s; TTFT p90: " + ", ".join(f"{n} {w * 1000:,.0f} ms" for n, w in waits_s.items()))
print(helpers.beside(guess, waits_s["static"] / waits_s["continuous"], "times longer with static batching"))
helpers.distributions(
    {name: [answer.ttft_s for answer in lap.answers.values()] for name, lap in in_turn.items()}, "TTFT"
)

# %% [markdown] id="s3"
# ## 3. One step
# What does a step consist of? nano, like vLLM, does not tell prefill from decode: a request has tokens that are
# *known*, and some of them are *computed*; a step computes some that are known and not yet computed. For an answer in
# progress that is one token, for a prompt it is many. Here are the first two steps of the race, and the first three in
# which a request took a seat that had become free:

# %% id="steps"
rows = []
joined = [step for step in laps["continuous"].steps[1:] if any(work[1] == 0 for work in step["work"])]
for step in laps["continuous"].steps[:2] + joined[:3]:
    rows.append(
        {
            "took, ms": step["seconds"] * 1000,
            "tokens computed": sum(work[2] for work in step["work"]),
            "by request": ", ".join(f"{work[0]}: {work[2]}" for work in step["work"]),
            "new tokens": sum(work[3] for work in step["work"]),
        }
    )
helpers.table(rows)

# %% [markdown] id="scheduler-text"
# Which request gets how many tokens is the scheduler's one decision (`helpers/nano/scheduler.py`): first those that
# run, at least one token each; what is left of the **budget** (`max_num_batched_tokens`) goes to those that wait, first
# come, first served, as long as there are seats (`max_num_seqs`) and memory.
#
# ### A long prompt comes
# Four answers are being written, a token a step. Then a prompt of 900 tokens arrives. Computed whole, it makes one very
# long step, for which all others wait; computed in pieces, with at most 64 tokens in a step (**chunked prefill**), it
# shares its steps with the others. **Guess: how many times longer is the longest gap in the four answers without
# pieces?**

# %% id="guess-chunk"
guess = None

# %% id="chunk"
step_s = median(step["seconds"] for step in laps["continuous"].steps)
writing = helpers.mixed_load(4, prompt_tokens=(8, 8), output_tokens=(40, 40), seed=seed)
long = helpers.mixed_load(1, prompt_tokens=(900, 900), output_tokens=(4, 4), seed=seed + 2)[0]
visitors = [*writing, helpers.Job("long", long.prompt, 4, arrives_s=8 * step_s)]
whole = make_engine(max_model_len=1024, max_num_batched_tokens=1024, chunked_prefill=False)
pieces = make_engine(max_model_len=1024, max_num_batched_tokens=64)
chunk_laps = helpers.race({"whole": whole, "in pieces": pieces}, visitors)
gaps_s = {name: max(max(lap.answers[job.name].gaps_s) for job in writing) for name, lap in chunk_laps.items()}
print(helpers.beside(guess, gaps_s["whole"] / gaps_s["in pieces"], "times longer without pieces"))

# %% id="chunk-table"
helpers.table(
    [
        {
            "the long prompt": name,
            "longest gap of the others, ms": gaps_s[name] * 1000,
            "its own TTFT, ms": lap.answers["long"].ttft_s * 1000,
            "steps": len(lap.steps),
        }
        for name, lap in chunk_laps.items()
    ]
)

# %% id="chunk-plot"
helpers.plot_timeline(
    pieces.trace.records, "A long prompt in pieces: its prefill runs beside the others' decode", seconds=True
)

# %% id="chunk-read"
own_ttft = {name: lap.answers["long"].ttft_s for name, lap in chunk_laps.items()}
price = own_ttft["in pieces"] / own_ttft["whole"]
if price > 1:
    print(f"Chunking is a trade: in pieces the newcomer waited {price:.2f} times as long for its first token.")
else:
    print(f"Here the newcomer lost nothing: in pieces it waited {price:.2f} times as long for its first token.")

# %% [markdown] id="s4"
# ## 4. The KV cache in blocks
# Each token leaves keys and values behind in each layer. How long an answer gets is not known, so an engine that wants
# one piece of memory for each request must reserve room for the longest. With **PagedAttention** a request gets a
# *block*, here of 16 tokens, whenever its last one is full, anywhere in memory; its *block table* says where. This is
# the pool in the fullest step of the race: a colour is a request, a pale block still has room.

# %% id="blocks"
helpers.plot_blocks(engines["continuous"].trace.records)

# %% [markdown] id="step-explorer-text"
# And now in motion: move the slider, or let it play. Which request joins when one leaves, and what becomes of its
# blocks?

# %% id="step-explorer"
helpers.StepExplorer(engines["continuous"].trace.records, source="measured: nano's trace of the race")

# %% [markdown] id="block-size-text"
# What is wasted? At most the rest of each request's last block. The next table takes the tokens that were in the cache
# in every step of the race, and counts the places that would be reserved for them. **Guess: how many per cent of the
# places are empty when each request reserves its 256 tokens in one piece?**

# %% id="guess-waste"
guess = None


# %% id="block-size"
def empty_share(lap: helpers.Lap, block_size: int) -> float:
    """Share of the reserved places without a token, over all steps, with blocks of this size."""
    held = [work[1] + work[2] for step in lap.steps for work in step["work"]]
    return 1 - sum(held) / sum(-(-tokens // block_size) * block_size for tokens in held)


sizes = {1: "a token a block", 8: "", 16: "here, and vLLM's on a GPU", 64: "", 256: "the longest sequence in one piece"}
print(helpers.beside(guess, 100 * empty_share(laps["continuous"], 256), "% empty"))
waste_table = helpers.table(
    [
        {"block size": size, "": words, "places without a token": f"{empty_share(laps['continuous'], size):.1%}"}
        for size, words in sizes.items()
    ]
)
waste_table

# %% [markdown] id="block-size-read"
# Requests as short as these make blocks look worse than they are: each loses half a block on average, however long it
# is. Why not blocks of one token, then? Because a table has an entry for each block, and because memory is read fastest
# in long runs.
#
# Less waste means more requests at once. The next engine has so little memory that only one request fits if each
# reserves its 256 tokens. **Guess: how many run at once, on average, in blocks?**

# %% id="guess-tight"
guess = None

# %% id="tight"
TIGHT_BLOCKS = 24
tight = make_engine(num_blocks=TIGHT_BLOCKS)
tight_lap = helpers.race({"in blocks": tight}, jobs)["in blocks"]
print(f"in one piece each, {TIGHT_BLOCKS * 16 // 256} request of up to 256 tokens fits into {TIGHT_BLOCKS * 16} places")
print(helpers.beside(guess, tight_lap.mean_batch, "at once in blocks"))
print(f"{tight.counters.preemptions} times the memory ran out")

# %% [markdown] id="preempt-text"
# When memory runs out, the request that came last gives its blocks back and is computed again later (**preemption**).
# That costs time and no tokens. The striped parts waited twice.

# %% id="preempt"
again = {name: answer.ids for name, answer in tight_lap.answers.items()}
print("the same tokens in spite of it:", again == texts[0])
helpers.plot_timeline(tight.trace.records, "Too little memory: who gave way")

# %% [markdown] id="int8-text"
# ### Fewer bytes a token
# Another way to fit more: keep each number of the keys and values in one byte, with a scale for each token and head.
# That changes the numbers a little; does it change the *model*? Let it write some text, then measure how surprised it
# is by its own words (the *loss*: the mean of -ln of their probabilities), with either cache. **Guess: by how many per
# cent does the loss change?**

# %% id="guess-int8"
guess = None


# %% id="int8-loss"
def mean_loss(ids: list[int], start: int, precision: str) -> float:
    """Mean surprise, in nats, at the tokens from position `start` on."""
    cache = nano_model.make_cache(-(-len(ids) // 16), 16, precision)
    piece = Piece(ids=ids, start=0, blocks=range(-(-len(ids) // 16)), logits=len(ids))
    logits = nano_model.forward(Batch.of([piece], 16), cache).logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    surprise = np.log(np.exp(logits).sum(axis=1))[:-1] - logits[np.arange(len(ids) - 1), ids[1:]]
    return float(surprise[start - 1 :].mean())


# %% id="int8"
tokenizer = helpers.load_tokenizer("course")
writer = make_engine(max_model_len=1024)
stories = [
    writer.add_request(
        tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": prompt}])),
        max_tokens=100,
        sampling=SamplingOptions(temperature=1.0, seed=seed + number),
    )
    for number, prompt in enumerate(helpers.prompt_class("free")[:6])
]
writer.run_until_done()
losses = {
    precision: float(np.mean([mean_loss(story.ids, story.prompt_tokens, precision) for story in stories]))
    for precision in ("f32", "int8")
}
byte_counts = {precision: nano_model.make_cache(1, 16, precision).bytes_per_token for precision in losses}

# %% id="int8-read"
guessed = "no guess" if guess is None else f"guessed {guess:g} %"
print(f"the loss changes by {losses['int8'] / losses['f32'] - 1:+.3%} ({guessed})")
kv_table = helpers.table(
    [
        {"KV cache": precision, "bytes a token": byte_counts[precision], "loss, nats a token": f"{loss:.4f}"}
        for precision, loss in losses.items()
    ]
)
saved = byte_counts["f32"] / byte_counts["int8"]
report_sections.append(
    helpers.Section("KV cache in int8", f"Measured: nano; {saved:.2f} times the tokens fit.", kv_table)
)
kv_table

# %% [markdown] id="s5"
# ## 5. Shared prefixes
# Chats begin with the same system prompt, and each turn repeats what was said before. Keys and values depend on a token
# *and all tokens before it*, so a block can be found again by a hash of its tokens and of the hash of the block before.
# 16 requests share their first 192 tokens; 8 to 24 tokens of their own follow. **Guess: how many per cent of all prompt
# tokens need not be computed?**

# %% id="guess-prefix"
guess = None

# %% id="prefix"
system = jobs[0].prompt * 40
alike = helpers.mixed_load(16, prompt_tokens=(8, 24), output_tokens=(4, 16), shared=system[:192], seed=seed)
prefix_engines = {
    "computed each time": make_engine(max_model_len=512),
    "shared": make_engine(max_model_len=512, prefix_caching=True),
}
prefix_laps = helpers.race(prefix_engines, alike)
counters = prefix_engines["shared"].counters
print(
    helpers.beside(
        guess, 100 * counters.cached_tokens / counters.prompt_tokens, "% of the prompt tokens were there already"
    )
)
told = [{name: answer.ids for name, answer in lap.answers.items()} for lap in prefix_laps.values()]
print("the same tokens:", told[0] == told[1])
started = {work[0]: work[1] for step in reversed(prefix_laps["shared"].steps) for work in step["work"]}
print(f"{sum(start > 0 for start in started.values())} of {len(started)} requests found the beginning computed")

# %% id="prefix-table"
prefix_table = helpers.table(
    [
        {
            "the beginning": name,
            "tokens computed": prefix_engines[name].counters.computed_tokens,
            "most blocks in use": max(step["used_blocks"] for step in lap.steps),
            "TTFT p50, ms": lap.ttft_s.p50 * 1000,
        }
        for name, lap in prefix_laps.items()
    ]
)
report_sections.append(helpers.Section("Shared prefixes", "Measured: nano, 192 tokens shared by 16.", prefix_table))
prefix_table

# %% id="prefix-blocks"
helpers.plot_blocks(prefix_engines["shared"].trace.records)

# %% [markdown] id="radix-text"
# The beginning is computed once. nano shares it from that very step on, because in each layer a step writes its keys
# and values before it reads any. Each block counts its owners; one without an owner is kept until its space is needed,
# and the least recently used goes first. At least one token of each prompt is always computed: the cache holds keys and
# values, but the first new token needs logits.
#
# SGLang's **RadixAttention** keeps the same knowledge in a tree of token sequences instead of a table of hashes. By
# default it shares to the token and not to the block, and its scheduler can put requests first whose prefix is in the
# tree (`--schedule-policy lpm`). Both have the same limit: a changed word at the beginning makes everything after it
# new. So put what is fixed first.

# %% [markdown] id="s6"
# ## 6. A real engine under load
# The same ideas with other names, and their defaults:
#
# | here | vLLM | llama.cpp | Ollama | SGLang |
# |---|---|---|---|---|
# | seats | `--max-num-seqs` (on a Spark 256) | `-np`, *slots* | `OLLAMA_NUM_PARALLEL` | `--max-running-requests` |
# | budget | `--max-num-batched-tokens` | `-b`, pieces of `-ub` | as llama.cpp | `--chunked-prefill-size` |
# | blocks | PagedAttention, 16 tokens on a GPU | a cell a token, `-c` split among slots | as llama.cpp | one token |
# | shared prefixes | block hashes, on | prompts that slots kept, on | as llama.cpp | RadixAttention, on |
#
# This machine's default engine gets 16 seats, and more and more users; meanwhile its own gauges are read. **Guess: how
# many times the tokens a second of one stream will it give at 16?**

# %% id="guess-served"
guess = None


# %% id="measure-load"
def measure_load(server: helpers.Server, loads: list[int], name: str) -> tuple[helpers.Sweep, dict[str, list[Any]]]:
    """A sweep, kept as a bundle, and what the engine's gauges said at each load."""
    runs, gauges = [], {}
    for streams in loads:
        workload = helpers.unique_prompts(64, 32, seed=seed)
        with helpers.watch(server) as samples:
            run = helpers.measure(server, workload, helpers.ClosedLoop(streams), max(8, 2 * streams))
        runs.append(run)
        gauges[run.label] = samples
    sweep = helpers.Sweep(tuple(runs))
    folders.append(helpers.new_folder(run_dir, f"bundle-{name}"))
    sweep.save(folders[-1])
    return sweep, gauges


folders: list[Path] = []
loads = [1, 4, 16] if quick else [1, 2, 4, 8, 16, 32, 64]

# %% id="served"
own_model = "llama-3.1-8b" if profile != "laptop" and model == "course" else model
server = helpers.launch(engine, own_model, max_num_seqs=16)
sweep, gauges = measure_load(server, loads, "load")
by_load = {run.concurrency: run for run in sweep.runs}
gains = {
    load: run.metrics.output_tokens_per_s / by_load[1].metrics.output_tokens_per_s for load, run in by_load.items()
}
print(server.backend)
print(helpers.beside(guess, gains[16], "times the tokens a second of one stream, at 16"))
if gains[16] < 1.5:
    print("little gain: most of a step grows with the batch here; section 8 takes steps of nano apart to see how")

# %% id="served-plot"
helpers.load_curves({f"{server.engine} {server.precision}": [run.point() for run in sweep.runs]})


# %% id="gauge-rows"
def gauge_rows(sweep: helpers.Sweep, gauges: dict[str, list[Any]], promise: helpers.Objective) -> list[dict[str, Any]]:
    """A row a load: what users get, what the engine says of itself, and the requests that kept the promise."""
    rows = []
    for run in sweep.runs:
        most = {name: max((s[name] for s in gauges[run.label] if name in s), default=None) for name in GAUGES}
        good = helpers.summarize(run.records, promise)
        rows.append(
            {"load": run.label, "tokens/s": good.output_tokens_per_s, "TTFT p50, ms": good.ttft_s.p50 * 1000}
            | {"running": most["requests_running"], "waiting": most["requests_waiting"]}
            | {"KV cache in use": None if most["kv_cache_usage"] is None else f"{most['kv_cache_usage']:.0%}"}
            | {"goodput, requests/s": good.goodput_per_s, "of": good.requests_per_s}
        )
    return rows


GAUGES = ("requests_running", "requests_waiting", "kv_cache_usage")

# %% id="served-gauges"
alone = by_load[1].metrics
promise = helpers.Objective(ttft_s=3 * alone.ttft_s.p50, tpot_s=3 * alone.tpot_s.p50)
print(
    f"the promise, three times a lone user's: TTFT {promise.ttft_s * 1000:.0f} ms, TPOT {promise.tpot_s * 1000:.1f} ms"
)
print("knee (most tokens a second for the wait):", sweep.knee.label if sweep.knee else "not in this range")
served_table = helpers.table(gauge_rows(sweep, gauges, promise))
report_sections.append(helpers.Section("Under load", f"Measured: {server.backend}.", served_table))
served_table

# %% [markdown] id="slots-text"
# ### One slot
# Ollama starts a model with a single slot unless `OLLAMA_NUM_PARALLEL` says otherwise (its documentation; published,
# not measured). So whoever puts eight users on a default Ollama measures a queue. Here is the same on this machine's
# engine: eight users on one seat and on eight, repeats in turn. **Guess: how many times the tokens a second of one seat
# do eight seats give?**

# %% id="guess-slots"
guess = None

# %% id="slots"
backend = server.backend
server.stop()
folders.append(helpers.new_folder(run_dir, "bundle-seats"))
asked = (helpers.unique_prompts(32, 40, seed=seed), helpers.ClosedLoop(8), 8 if quick else 32)
room = {} if profile == "laptop" else {"max_model_len": 2048}  # both have to fit into the memory
servers: dict[str, helpers.Server] = {}
for name, count in {"one seat": 1, "eight seats": 8}.items():
    servers[name] = helpers.launch(engine, own_model, max_num_seqs=count, beside=bool(servers), **room)
seats = helpers.compare(servers, *asked, repeats=5, warmup=2, out=folders[-1])
for one in servers.values():
    one.stop()

# %% id="slots-read"
interval = seats.ratio("eight seats")
print(helpers.beside(guess, interval.estimate, f"times (interval {interval.low:.2f} to {interval.high:.2f})"))
if interval.contains(1):
    print("no difference in tokens a second was shown; seats also decide who waits for the first one:")
waits = {run.label: run.metrics.ttft_s.p50 * 1000 for run in seats.runs}
print(f"TTFT p50: one seat {waits['one seat']:.0f} ms, eight seats {waits['eight seats']:.0f} ms")
helpers.timeline(seats.runs[0].repeats[0], "One seat: eight users in a queue")

# %% id="ollama"
try:
    ollama = helpers.launch("ollama", own_model, max_num_seqs=8)
except helpers.EngineUnavailable as missing:
    not_run["ollama"] = missing.cause
    print(f"Ollama is not measured here: {missing.cause}")
else:
    ollama_sweep, _ = measure_load(ollama, [1, 8], "ollama")
    one, eight = (run.metrics.output_tokens_per_s for run in ollama_sweep.runs)
    print(f"{ollama.backend}, eight slots: eight users get {eight / one:.2f} times the tokens a second of one")
    ollama.stop()

# %% [markdown] id="milestone-1-text"
# ### Milestone 1
# The records of the five races of sections 1 and 2 go to a file, and a judge checks them: the tokens of each answer,
# who sat where in each step, the clocks. It computes the waste and the gain with its interval again. The gain counts if
# its whole interval lies above 1.

# %% id="evidence-1"
evidence = {
    "seats": SEATS,
    "jobs": [{"name": job.name, "prompt": list(job.prompt), "max_tokens": job.max_tokens} for job in jobs],
    "races": [{side: lap.to_json() for side, lap in race.items()} for race in races],
    "ratio": [ratio.estimate, ratio.low, ratio.high],
    "waste": {side: {"kv": lap.kv_waste, "batch": lap.batch_waste} for side, lap in laps.items()},
}

# %% id="milestone-12-2-batching"
helpers.milestone("12.2.batching", evidence=evidence, run_dir=run_dir, backend="nano (NumPy), CPU")

# %% [markdown] id="s7"
# ## 7. Further: vLLM for real
# PagedAttention comes from vLLM, and nano's scheduler follows vLLM's; to schedule step by step is older (Orca). On a
# laptop vLLM runs on the CPU, in an environment of its own (`./course engines install vllm`); on a Spark the same cells
# use the GPU. This is how it is started:

# %% id="vllm-plan"
vllm_options = {"max_num_seqs": 64 if not quick else 16}
print(helpers.make_plan("vllm", own_model, container=profile != "laptop", **vllm_options).shell_lines)

# %% [markdown] id="vllm-guess-text"
# **Guess: how many times the tokens a second of one stream will vLLM give at 16?** More than the engine above, or less?

# %% id="guess-vllm"
guess = None

# %% id="vllm-start"
vllm = None
try:
    vllm = helpers.launch("vllm", own_model, **vllm_options)
except helpers.EngineUnavailable as missing:
    not_run["vllm"] = missing.cause
    print(f"vLLM is not measured here: {missing.cause}")
if vllm is not None and vllm.engine != "vllm":
    print(f"{vllm.engine} answers here, not vLLM: not measured twice")
    vllm = None

# %% id="vllm-load"
if vllm is not None:
    vllm_sweep, vllm_gauges = measure_load(vllm, loads, "vllm")
    vllm_folder = folders[-1]
    rates = {run.concurrency: run.metrics.output_tokens_per_s for run in vllm_sweep.runs}
    print(vllm.backend)
    print(helpers.beside(guess, rates[16] / rates[1], "times the tokens a second of one stream, at 16"))
    alone = vllm_sweep.runs[0].metrics
    vllm_promise = helpers.Objective(ttft_s=3 * alone.ttft_s.p50, tpot_s=3 * alone.tpot_s.p50)
    vllm_table = helpers.table(gauge_rows(vllm_sweep, vllm_gauges, vllm_promise))
    report_sections.append(helpers.Section("vLLM under load", f"Measured: {vllm.backend}.", vllm_table))
    display(helpers.load_curves({"vllm": [run.point() for run in vllm_sweep.runs]}), vllm_table)

# %% [markdown] id="vllm-prefix-text"
# Prefixes found again, by the engine's own metrics: 16 prompts whose first 200 tokens are the same, and 16 that share
# nothing. Whole blocks only are found: 16 tokens in vLLM on a GPU, 128 on a CPU. **So how many of the 200 at most?**


# %% id="prefix-row"
def prefix_row(server: helpers.Server) -> dict[str, Any]:
    """What an engine found computed of 16 prompts with 200 tokens in common, and what that saved."""
    before = server.metrics()
    alike = helpers.measure(server, helpers.shared_prefix(200, 224, 16, seed=seed), helpers.ClosedLoop(4), 16, warmup=0)
    after = server.metrics()
    other = helpers.measure(server, helpers.unique_prompts(224, 16, seed=seed), helpers.ClosedLoop(4), 16, warmup=0)
    asked, found = (after[name] - before[name] for name in ("prompt_tokens_total", "cached_tokens_total"))
    return {
        "engine": server.engine,
        "prompt tokens": asked,
        "found computed": found,
        "of the 200, by each but the first": found / 15,
        "TTFT p50, ms": alike.metrics.ttft_s.p50 * 1000,
        "with nothing shared, ms": other.metrics.ttft_s.p50 * 1000,
    }


prefix_rows: list[dict[str, Any]] = []

# %% id="vllm-prefix"
if vllm is not None:
    prefix_rows.append(prefix_row(vllm))
    display(helpers.table(prefix_rows))

# %% [markdown] id="milestone-2-text"
# ### Milestone 2
# The judge reads the sweep's records and the gauges again: valid at every load, several requests at once by vLLM's own
# gauges, knee and goodput as the records say. Without vLLM it is *not-run*, which is no failure.

# %% id="evidence-2"
vllm_evidence = None
if vllm is not None:
    vllm_evidence = {
        "bundle": vllm_folder.name,
        "seats": vllm_options["max_num_seqs"],
        "gauges": vllm_gauges,
        "knee": vllm_sweep.knee.label if vllm_sweep.knee else "",
        "objective": {"ttft_s": vllm_promise.ttft_s, "tpot_s": vllm_promise.tpot_s},
        "goodput_per_s": {
            run.label: helpers.summarize(run.records, vllm_promise).goodput_per_s for run in vllm_sweep.runs
        },
    }
vllm_backend = vllm.backend if vllm is not None else ""
if vllm is not None:
    vllm.stop()

# %% id="milestone-12-2-vllm"
helpers.milestone("12.2.vllm", evidence=vllm_evidence, run_dir=run_dir, backend=vllm_backend)

# %% [markdown] id="options-text"
# ### Its options, one at a time
# Each of these changes one thing and starts vLLM anew, so they run only in full mode (`quick = False`): four seats;
# prompts whole; on a laptop two processes that share each layer; on a Spark no CUDA graphs. **Which of the three
# figures will each of them move, and which way?**

# %% id="options"
VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "4 seats": {"max_num_seqs": 4},
    "prompts whole": {"extra": {"chunked_prefill": False}},
}
if profile != "laptop":
    VARIANTS["no CUDA graphs"] = {"eager": True}
elif (helpers.read_hardware().cores or 1) > 1:
    VARIANTS["two processes"] = {"tensor_parallel": 2}
option_rows = []
for label, options in VARIANTS.items() if vllm is not None and not quick else ():
    with helpers.launch("vllm", own_model, **{**vllm_options, **options}) as variant:
        points, _ = measure_load(variant, [1, 16], f"vllm-{label.replace(' ', '-')}")
    for run in points.runs:
        option_rows.append({"vLLM": label, "load": run.label, "tokens/s": run.metrics.output_tokens_per_s})
        option_rows[-1] |= {"TTFT p90, ms": run.metrics.ttft_s.p90 * 1000}
        option_rows[-1] |= {"ITL p99, ms": run.metrics.itl_s.p99 * 1000}

# %% id="options-table"
helpers.table(option_rows) if option_rows else print("not-run: needs quick = False, and vLLM")

# %% [markdown] id="radix-measured-text"
# ### The tree of SGLang
# The same prompts on SGLang, where it can run. A table of hashes finds whole blocks, a tree finds every token. **How
# many of the 200 will the tree find?**

# %% id="radix-measured"
try:
    sglang = helpers.launch("sglang", own_model)
except helpers.EngineUnavailable as missing:
    not_run["sglang"] = missing.cause
    print(f"SGLang is not measured here: {missing.cause}")
else:
    prefix_rows.append(prefix_row(sglang))
    print(sglang.backend)
    sglang.stop()

# %% id="radix-table"
if prefix_rows:
    found_table = helpers.table(prefix_rows)
    words = "Measured, by the engines' own metrics."
    report_sections.append(helpers.Section("Prefixes found again", words, found_table))
    display(found_table)
else:
    print("not-run: needs vLLM or SGLang")

# %% [markdown] id="s8"
# ## 8. Further: why a batch gains
# A step's time is *fixed cost + bytes / bandwidth + operations / rate*. The sequences of a batch share the first, and
# of the bytes the weights; each has operations, keys and values of its own. Which term is the largest here? Steps of
# nano with 1 to 16 sequences, of the course model and of its heavy variant (the same words at 30 times the bytes), tell
# the terms apart. **Guess the largest term of a lone user's step with the small model.**

# %% id="guess-terms"
guess = None  # "fixed", "bytes" or "FLOPs"


# %% id="decode-steps"
def decode_point(name: str, loaded: Any, batch: int, prompt_tokens: int = 16) -> helpers.StepPoint:
    """The median decode step of nano with this many sequences."""
    options = {
        "max_num_seqs": batch,
        "max_num_batched_tokens": 2048,
        "max_model_len": 1024,
        "num_blocks": 512,
        "block_size": 16,
    }
    tested = load_engine(loaded=loaded, prefix_caching=False, **options)
    load = helpers.mixed_load(batch, prompt_tokens=(prompt_tokens, prompt_tokens), output_tokens=(8, 8), seed=seed)
    lap = helpers.race({"nano": tested}, load)["nano"]
    step_s = median(step["seconds"] for step in lap.steps if all(work[2] == 1 for work in step["work"]))
    shape, context = helpers.model_shape(name), prompt_tokens + 4
    cost = helpers.decode_step(shape, "f32", batch=batch, context_tokens=context, kv_precision="f32")
    return helpers.StepPoint(f"{name}, batch {batch}, {context} tokens", cost, step_s)


# %% id="terms"
points = [decode_point("course", nano_model, batch) for batch in (1, 4, 16)]
points.append(decode_point("course", nano_model, 8, prompt_tokens=480))
heavy_model = load_model(helpers.resolve("course-heavy").directory)
points += [decode_point("course-heavy", heavy_model, batch) for batch in (1, 4, 8)]
del heavy_model
try:
    fit = helpers.fit_step_time(points)
except helpers.NotIdentifiable as refusal:
    fit = None
    print(refusal)

# %% id="terms-plot"
if fit is not None:
    shares = helpers.step_shares(fit)
    report_sections.append(helpers.Section("Why a batch gains", "Fitted to nano's own steps.", figures=(shares,)))
    display(shares)
    print(f"a lone user's step of the small model: most of it {fit.shares[0].largest} (guess: {guess or 'none'})")
    trust = "good enough to read" if fit.worst_relative_error < 0.3 else "a hint at best; is the machine busy?"
    print(f"the worst step is missed by {fit.worst_relative_error:.0%}: {trust}")

# %% [markdown] id="spark-text"
# And on a Spark? The sum is the same, its terms are not: 273 GB/s against 60 to 125 trillion operations a second in
# bf16 (an assumption: no dense rate is published; the table takes the low one). For an 8-billion-parameter model in
# bf16, with 500 tokens of context each; **computed from published limits, not measured**:

# %% id="spark"
spark = helpers.device("gb10")
eight_b = helpers.ModelShape(
    layers=32, hidden=4096, heads=32, kv_heads=8, head_size=128, intermediate=14336, vocabulary=128256, tied=False
)
rows = []
for batch in (1, 8, 32, 128):
    cost = helpers.decode_step(eight_b, "bf16", batch=batch, context_tokens=500)
    step = helpers.computed_step(cost, on=spark, precision="bf16")
    least_s = max(step.bytes_s, step.flops_s[1])
    rows.append(
        {"batch": batch, "bytes, ms": step.bytes_s * 1000, "operations, ms": step.flops_s[1] * 1000}
        | {"bound by": step.bound, "at most, tokens/s": batch / least_s}
    )
helpers.table(rows)


# %% id="published"
def what(figure: helpers.PublishedFigure) -> tuple[Any, ...]:
    """What two figures must have in common to be put beside each other."""
    return figure.engine, figure.model, figure.precision, figure.source


figures = [figure for figure in helpers.published() if figure.decode_tokens_per_s and figure.sparks == 1]
singles = {what(figure): figure for figure in figures if figure.batch == 1}
for many in figures:
    one = singles.get(what(many))
    if many.batch > 1 and one is not None:
        gained = many.decode_tokens_per_s / one.decode_tokens_per_s
        print(f"published, {many.source.title}: {many.engine}, {many.model} {many.precision},", end=" ")
        print(f"batch {many.batch} gives {gained:.1f} times the tokens/s of batch 1")

# %% [markdown] id="planner-text"
# (The published pairs may differ in lengths and tool, not only in the batch: a direction, no measurement of it.)
#
# How many people does that serve? The course's simulator estimates what a step costs on a Spark; what it leans on
# stands below its table. Move the lengths and the bounds; *Play the traffic* takes longer and counts queues too.

# %% id="planner"
helpers.CapacityPlanner()

# %% [markdown] id="spark-read"
# So two machines may both gain from a batch, and for different reasons. Where reading the weights is most of a step,
# the batch shares that; where the fixed cost is, it shares that; where arithmetic is, there is little to share. A
# remedy found on one machine may do nothing on the other.
#
# ## 9. Further: two processes, and graphs
# **Tensor parallelism** gives each of two processes half of every layer's heads and columns, and adds up their parts
# twice a layer. On one machine with two cores it halves the arithmetic of each; on two Sparks it halves the bytes that
# each has to read. Both pay with waiting for each other. nano does it with two processes and shared memory. **Guess:
# how many times the tokens a second of one process do two give to a lone user of this small model?**

# %% id="guess-tensor-parallel"
guess = None

# %% id="tensor-parallel"
tokens_per_s: dict[int, float] = {}
said: set[str] = set()
for processes in (1, 2) if profile == "laptop" and (helpers.read_hardware().cores or 1) > 1 else ():
    with helpers.launch("nano", "course", tensor_parallel=processes) as shared:
        said.add(str(shared.chat("What is a KV cache?", max_tokens=32, temperature=0)))
        run = helpers.measure(shared, helpers.unique_prompts(32, 24, seed=seed), helpers.ClosedLoop(1), requests=3)
        if shared.engine == "nano":
            tokens_per_s[processes] = run.metrics.output_tokens_per_s
if len(tokens_per_s) == 2:
    print(helpers.beside(guess, tokens_per_s[2] / tokens_per_s[1], "times the tokens a second of one process"))
    print("the same words:", len(said) == 1)

# %% [markdown] id="graphs-text"
# **CUDA graphs** attack the fixed cost: a decode step launches hundreds of small kernels, and a graph replays all of
# them with one call. vLLM records graphs for a set of batch sizes at its start, which costs time and memory;
# `--enforce-eager` leaves them out. That option is an experiment, not a must on ARM machines. Published for a Spark:

# %% id="graphs"
helpers.table(
    [
        {
            "engine": f"{figure.engine}, {figure.how}",
            "model": f"{figure.model}, {figure.precision}",
            "decode, tokens/s": figure.decode_tokens_per_s,
            "published by": f"{figure.source.title.split(',')[0]}, {figure.source.date}",
        }
        for figure in helpers.published("vllm")
        if "eager" in figure.how or "graphs" in figure.how
    ]
)

# %% [markdown] id="s10"
# ## 10. The report
# One page: its first sentence says what was found, on what; below it stand the tables of the sections that you ran.

# %% id="report"
if not_run:
    rows = [{"engine": name, "state": f"not-run: {needs}"} for name, needs in not_run.items()]
    report_sections.append(helpers.Section("Not run here", "", helpers.table(rows)))
read = [(Path(folder.name), helpers.load_bundle(folder)) for folder in folders]
report = helpers.build_report(read, title="Continuous batching", more=report_sections)
found = f"Continuous batching gave {ratio.estimate:.2f} times the tokens/s of static batching ({ratio.low:.2f} to "
found += f"{ratio.high:.2f}) in nano, and 16 streams {gains[16]:.1f} times those of one on {backend}."
report = replace(report, headline=found)
html, markdown = helpers.write_report(report, run_dir)
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="think"
# ## To think about
# - Your users' answers are all of the same length. What does continuous batching gain then?
# - A user with a 100,000-token prompt comes once an hour. Which two options limit what the others notice, and what does
#   each cost?
# - The KV cache is full, and preemptions climb. Name three remedies, and what each one gives up.
# - A colleague measured 6 times the tokens a second with 16 streams on a laptop, and promises the same for a Spark.
#   What do you ask?
#
# **Sources**: Yu et al., [Orca](https://www.usenix.org/conference/osdi22/presentation/yu) (continuous batching); Kwon
# et al., [PagedAttention](https://arxiv.org/abs/2309.06180); Agrawal et al.,
# [Sarathi-Serve](https://arxiv.org/abs/2403.02310) (chunked prefill); Zheng et al.,
# [SGLang](https://arxiv.org/abs/2312.07104) (RadixAttention).
