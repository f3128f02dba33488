# %% [markdown] id="intro"
# # Lab: the capstone
#
# **You will** write what a decision rests on (places, room, price, honesty, the rule itself), then decide a
# deployment for a brief, predict what it will do, have it judged under a load that you have not seen, and write the
# one-page record of your decision.
#
# **It takes** 3 hours; 2 cores, 4 GB of memory, no GPU. The guided notebook `notebooks/07_capstone.ipynb` goes through
# all three briefs once.
#
# **You should know** tasks 12.1 to 12.5: fair measurement, batching and caches, speculation, the gateway.
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | what a decision rests on (exercises 1 to 5) | 50 |
# | 2 | read a brief, decide, predict | 40 |
# | 3 | be judged, find the cause, decide again | 60 |
# | 4 | the record, the leaderboard, the milestone | 30 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. `./course check capstone` shows all exercises at once;
# the full answers are in `solutions/`.

# %% id="setup"
from typing import Any

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
# ## Part 1: what a decision rests on
# ### Exercise 1: places
# Requests arrive at `rate_per_s`, and each stays `stay_s` seconds; Little's law says how many are there on average. How
# many sequences must the engine be able to compute at once, if it is to have `headroom` times the average, because
# arrivals come in clumps? Whole places, at least one.


# %% id="ex1-places"
def places_needed(rate_per_s: float, stay_s: float, headroom: float) -> int:
    """Sequences that the engine must have room for at once."""
    ### BEGIN SOLUTION multiply, and do not round in the wrong direction
    import math

    return max(1, math.ceil(rate_per_s * stay_s * headroom))
    ### END SOLUTION


# %% id="check-ex1-places"
helpers.check("ex1-places", places_needed)

# %% [markdown] id="ex2-text"
# ### Exercise 2: room
# Some engines reserve their KV cache when they start: for every sequence, at full length. Each replica has weights of
# its own, and `sequences` of its own. What is the longest context of a sequence, in whole tokens, that fits into the
# memory?


# %% id="ex2-room"
def longest_context(
    memory_bytes: int, weights_bytes: int, kv_bytes_per_token: int, sequences: int, replicas: int
) -> int:
    """Tokens of one sequence; 0 if nothing fits."""
    ### BEGIN SOLUTION share the memory among replicas, and what is left there among sequences
    room = memory_bytes // replicas - weights_bytes
    return max(0, room // (sequences * kv_bytes_per_token))
    ### END SOLUTION


# %% id="check-ex2-room"
helpers.check("ex2-room", longest_context)

# %% [markdown] id="ex3-text"
# ### Exercise 3: what a good answer costs
# The machine is paid by the hour, used or not. What do 1,000 *good* answers cost: those whose first token came within
# the bound? A TTFT of None is a request that failed. Without a good answer there is no such price.


# %% id="ex3-cost-of-good"
def eur_per_1000_good(
    eur_per_hour: float, duration_s: float, ttft_s: list[float | None], bound_s: float
) -> float | None:
    """EUR for 1,000 requests that kept the bound; None if none did."""
    ### BEGIN SOLUTION divide what was paid by what was good
    good = sum(value is not None and value <= bound_s for value in ttft_s)
    return 1000 * eur_per_hour * duration_s / 3600 / good if good else None
    ### END SOLUTION


# %% id="check-ex3-cost-of-good"
helpers.check("ex3-cost-of-good", eur_per_1000_good)

# %% [markdown] id="ex4-text"
# ### Exercise 4: honesty
# A figure that is predicted exactly earns 1; one that is off by a factor of two, in either direction, earns 0; in
# between the points fall linearly with the logarithm of the factor. No figure earns less than 0. The points of a
# prediction are the mean over its figures; a prediction without figures earns 0.


# %% id="ex4-honesty"
def honesty(predicted: list[float], measured: list[float]) -> float:
    """0 to 1; both lists have the same figures in the same order, all above 0."""
    ### BEGIN SOLUTION take the logarithm of each ratio
    from math import log2

    points = [max(0.0, 1 - abs(log2(said / seen))) for said, seen in zip(predicted, measured, strict=True)]
    return sum(points) / len(points) if points else 0.0
    ### END SOLUTION


# %% id="check-ex4-honesty"
helpers.check("ex4-honesty", honesty)

# %% [markdown] id="ex5-text"
# ### Exercise 5: the rule
# Of the options that keep the objective and whose quality is at the floor or above, take the cheapest. If there is
# none, the answer is None.


# %% id="ex5-decide"
def decide(options: list[dict[str, Any]], floor: float) -> str | None:
    """The name of the option that is decided for; None if none will do.

    Args:
        options: each {"name", "quality", "slo_met", "eur_per_1000"}.
    """
    ### BEGIN SOLUTION first the conditions, then the price
    fit = [option for option in options if option["slo_met"] and option["quality"] >= floor]
    return min(fit, key=lambda option: option["eur_per_1000"])["name"] if fit else None
    ### END SOLUTION


# %% id="check-ex5-decide"
helpers.check("ex5-decide", decide)

# %% [markdown] id="part-2"
# ## Part 2: read, decide, predict
# Choose a brief: `chat`, `extraction` or `agent`. Its last line says what runs today.

# %% id="brief"
name = "chat"
profile = helpers.choose_profile(helpers.read_hardware())
brief = helpers.find_brief(name, profile)
print(brief.describe())

# %% [markdown] id="options-text"
# **Write down your options** (better two than one, so that there is something to decide) and what you expect of each.
# The decisions: `engine`, `model`, `quantization`, `kv_cache_dtype`, `max_num_seqs`, `max_model_len`,
# `max_num_batched_tokens`, `prefix_caching`, `chunked_prefill`, `speculation`, `draft_tokens`, `threads`,
# `tensor_parallel`, `replicas`.
#
# A prediction has up to three figures, on the brief's clock: `goodput_per_s`, `ttft_p90_s` and `output_tokens_per_s`.
# What you do not know, measure with `helpers.launch` and `helpers.measure`, or ask the simulator:
# `helpers.predict(brief, helpers.Deployment.build(...))`.


# %% id="options"
def my_options() -> dict[str, dict[str, Any]]:
    """Label -> the decisions, with a prediction."""
    ### BEGIN SOLUTION one option or more for your brief, each with a prediction
    expected = {"goodput_per_s": 6.0, "ttft_p90_s": 0.06, "output_tokens_per_s": 190.0}
    shared = {"engine": "nano", "model": "course", "max_num_seqs": 24, "max_model_len": 1280}
    return {"room for every beginning": {**shared, "prediction": expected}}
    ### END SOLUTION


deployments = {label: helpers.Deployment.build(**options) for label, options in my_options().items()}

# %% [markdown] id="part-3"
# ## Part 3: be judged
# Today's deployment first, then yours: the same brief, with a load that is drawn anew each time. A deployment that does
# not fit is refused before anything starts. Read the reasons, change one thing, and judge again; each judgement is
# kept.

# %% id="judge-today"
if (engine, model) != ("auto", "course"):
    print("A brief says which engines and models there are to choose from: these two parameters change nothing.")
today_folder = helpers.new_folder(run_dir, f"{name}-today")
today = helpers.judge(name, helpers.Deployment.build(**brief.default), quick=quick, out=today_folder)
print("\n".join(today.reasons))

# %% id="judge-mine"
judged, folders = {}, {}
for label, deployment in deployments.items():
    folders[label] = helpers.new_folder(run_dir, f"{name}-mine")
    judged[label] = helpers.judge(name, deployment, quick=quick, out=folders[label])
    print(label, *judged[label].reasons, sep="\n  ")

# %% id="judged-table"
rows = [
    {
        "deployment": label,
        "goodput, requests/s": one.goodput_per_s,
        "objective": "kept" if one.slo_met else "missed",
        "quality": one.quality,
        "EUR for 1,000": one.cost.eur_per_1000_good,
        "score": one.score,
    }
    for label, one in {"today": today, **judged}.items()
]
helpers.table(rows)

# %% [markdown] id="part-4"
# ## Part 4: decide, and say why
# Your rule of exercise 5 decides. If it finds no option, the one with the highest score is taken, so that the record
# can be written; it will not reach the milestone.

# %% id="decide"
options = [
    {"name": label, "quality": one.quality, "slo_met": one.slo_met, "eur_per_1000": one.cost.eur_per_1000_good}
    for label, one in judged.items()
]
decision = decide(options, brief.quality_floor) or max(judged, key=lambda label: judged[label].score)
print("decided for:", decision)

# %% [markdown] id="record-text"
# ### The decision record
# One page: the figures are filled in, what is in brackets is yours to write. The part on what would change the decision
# is the one that your successor needs most.

# %% id="record"
order = [decision, *(label for label in judged if label != decision)]
text = helpers.decision_record([*(judged[label] for label in order), today])
(run_dir / "decision-record.md").write_text(text, encoding="utf-8")
print(text)

# %% id="board"
columns = ("brief", "rank", "name", "score")
helpers.table([{key: row[key] for key in columns} for row in helpers.leaderboard([run_dir]).rows])

# %% [markdown] id="milestone-text"
# ### Milestone
# The judge computes every figure again from the records. It asks for one brief: the objective kept, the quality at
# the floor, something predicted, and twice the goodput of today's deployment.

# %% id="evidence"
mine = judged[decision]
row = {"brief": name, "today": today_folder.name, "mine": folders[decision].name}
row |= {"goodput": mine.goodput_per_s, "score": mine.score}
backend = mine.run.target.backend if mine.run is not None else ""

# %% id="milestone-capstone-brief"
helpers.milestone("capstone.brief", evidence={"rows": [row]}, run_dir=run_dir, backend=backend)

# %% [markdown] id="think"
# ### To think about
# - Two deployments are equal within the noise of this machine. What do you decide by?
# - Which of your predictions was off the most, and which measurement would have told you beforehand?
# - The score weighs goodput, cost and honesty. For which brief would you weigh them otherwise, and who should say so?
