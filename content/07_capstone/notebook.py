# %% [markdown] id="intro"
# # The capstone: select a deployment
#
# **After this task you can** read a brief, derive a deployment from it, say beforehand what it will do, have it
# judged under a load that you have not seen, name the cause of what was lost, and write the record of the decision.
#
# **It takes** 2 hours: sections 1 to 6 are the core (90 minutes), 7 looks at other machines (15 minutes), 8 writes the
# decision down (15 minutes). The lab takes 3 hours of its own. Both need 2 cores and 4 GB of memory; no GPU. Run
# unattended, this notebook takes some minutes.
#
# **You should know** tasks 12.1 to 12.5: fair measurement, batching and caches, speculation, the gateway. Check
# yourself: 6 requests arrive each second and each stays 0.5 s; how many are in flight on average? (3: Little's law.)
# Which part of two prompts can a prefix cache share? (Their common beginning, and nothing after the first difference.)
#
# | section | what | minutes |
# |---|---|---|
# | 1 | three briefs, and how they are judged | 15 |
# | 2 | from a brief to numbers | 20 |
# | 3, 4, 5 | a chat service, nightly extraction, a coding agent | 45 |
# | 6 | three briefs, three answers | 10 |
# | 7 | the same briefs on a Spark, and on two | 15 |
# | 8 | the decision record and the leaderboard | 15 |

# %% id="setup"
import math
from dataclasses import asdict

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)
profile = helpers.choose_profile(helpers.read_hardware())
if (engine, model) != ("auto", "course"):
    print("A brief says which engines and models there are to choose from: these two parameters change nothing.")

# %% [markdown] id="s1"
# ## 1. Three briefs
# A brief is data: lengths, arrivals and shared beginnings of a load, an objective, a budget, a least quality. Each
# brief is written once for a laptop, with the course model, and once for a Spark, with real models; the kinds of
# decision are the same.

# %% id="briefs"
briefs = {name: helpers.find_brief(name, profile) for name in helpers.brief_names()}
for brief in briefs.values():
    print(brief.describe(), end="\n\n")

# %% [markdown] id="judged-text"
# **How a deployment is judged** (`./course judge BRIEF --deployment FILE`): one that cannot run, or that the brief does
# not allow, is refused before anything starts. Otherwise it is started, asked a fixed set of tasks (below the least
# quality there are no points), and put under a load drawn from a seed that nobody knows before.
#
# The score has three parts: *goodput*, the requests a second that keep the objective; *cost*, at prices that are
# assumptions (`helpers/capstone/prices.toml`); *honesty*, how near the prediction was.
#
# On a laptop, times are on *the brief's clock*: a small fixed job is measured before and after the load, and on a
# machine that takes twice as long for it the brief happens half as fast: half as many requests a second, bounds twice
# as long.

# %% [markdown] id="s2"
# ## 2. From a brief to numbers
# Before anything is started, calculate. For the chat service: how many requests are there at once, which part of their
# prompts is the same, and how much KV cache does it take to keep every beginning? *Estimate the three before you run
# the next cells.*

# %% id="paper"
chat = briefs["chat"].load
stay_s = 0.3 if profile == "laptop" else 5.0  # a guess: how long one answer takes
in_flight = (chat.rate_per_s or 0) * stay_s
prompt_tokens = chat.preamble_tokens + chat.own_tokens
print(f"Little's law: {in_flight:.1f} requests at once; twice that for clumps: {math.ceil(2 * in_flight)} places")
print(f"if {chat.preambles} beginnings are kept, {chat.shareable:.0%} of all prompt tokens need not be computed again")
print(f"without them each request computes {prompt_tokens} tokens, with them {chat.own_tokens}")

# %% [markdown] id="paper-text"
# An engine of the course computes 8 sequences at once unless told otherwise. Where that is enough for the places above,
# batching is not what decides. The *cache* is: how many tokens a request has to compute depends on whether its
# beginning is still there.
#
# llama.cpp keeps one beginning for each *slot*. When two conversations with one beginning meet, the second computes it
# anew in another slot and drives out what was there; while it computes, the next ones meet. With 40 slots for 20
# beginnings, two of three judgements on a quiet machine of 2 cores missed the objective by far (TTFT p90 2.8 and 3.9
# s), and the third kept it. nano and vLLM share *blocks*: any number of requests reads one beginning, so there must be
# room for every beginning once and for what the running requests add. How many bytes is that?

# %% id="bytes"
if profile == "laptop":
    shape = helpers.model_shape("course")
    numbers_per_token = 2 * shape.layers * shape.kv_heads * shape.head_size  # keys and values
    needed = chat.preambles * chat.preamble_tokens + math.ceil(2 * in_flight) * (chat.own_tokens + chat.output_tokens)
    print(f"every beginning, and what the running requests add: {needed:,} tokens")
    # llama.cpp keeps a number in 2 bytes (float16), nano in 4 (float32).
    for of, bytes_each, places, length in (
        ("llama.cpp", 2, 8, 4096),
        ("llama.cpp", 2, 40, 4096),
        ("nano", 4, 24, 1280),
    ):
        tokens = places * length
        size_mb = tokens * numbers_per_token * bytes_each / 1e6
        print(f"{of:>9}: {places:>2} sequences of {length} tokens are {tokens:>7,} tokens, {size_mb:.0f} MB")
    print(f"the brief gives {briefs['chat'].memory_gb * 1000:.0f} MB, for weights and all")

# %% [markdown] id="s3"
# ## 3. The chat service
# First what runs today, then a decision. On a laptop: an engine whose requests share blocks; a context hardly longer
# than a request; as many places as it takes for every beginning to stay.
#
# A prediction belongs to each decision. `EXPECTED` below has this notebook's. Goodput cannot exceed the arrivals, and
# where every request is good, output tokens/s are goodput times the tokens of an answer. **Put your own figures there
# before you run the deployments**; section 6 shows them beside what was measured.


# %% id="judge-function"
folders, judged = {}, {}


def judge(label: str, name: str, decisions: dict, prediction: dict | None = None) -> None:
    """Judge a deployment, keep it, and show what the judge says."""
    deployment = helpers.Deployment.build(**decisions, prediction=prediction or {})
    folders[label] = helpers.new_folder(run_dir, label.replace(" ", "-"))
    judged[label] = one = helpers.judge(name, deployment, quick=quick, out=folders[label])
    kept = "kept" if one.slo_met else "missed"
    print(f"{label}: {one.goodput_per_s:.2f} good requests/s, objective {kept}, {one.score:g} points")
    print(*(f"  - {reason}" for reason in one.reasons), sep="\n")


# %% id="rows-function"
def rows_of(name: str) -> list[dict]:
    """What was judged of a brief, for a table."""
    return [
        {
            "deployment": label,
            "goodput, requests/s": one.goodput_per_s,
            "objective": "kept" if one.slo_met else "missed",
            "quality": one.quality,
            "EUR for 1,000": one.cost.eur_per_1000_good,
            "score": one.score,
        }
        for label, one in judged.items()
        if one.brief.name == name
    ]


# %% id="decisions"
heavy = {"engine": "nano", "model": "course-heavy", "max_model_len": 512}
DECISIONS = {
    "chat": {"engine": "nano", "model": "course", "max_num_seqs": 24, "max_model_len": 1280},
    "extraction": {**heavy, "max_num_seqs": 16},
    "agent": {**heavy, "max_num_seqs": 1, "speculation": "eagle3", "draft_tokens": 6},
}
EXPECTED = {
    "chat": {"goodput_per_s": 6.0, "ttft_p90_s": 0.06, "output_tokens_per_s": 190.0},
    "extraction": {"goodput_per_s": 2.2, "ttft_p90_s": 5.0, "output_tokens_per_s": 44.0},
    "agent": {"goodput_per_s": 1.3, "ttft_p90_s": 0.2, "output_tokens_per_s": 55.0},
}

# %% [markdown] id="spark-decisions-text"
# On a Spark the decisions and their predictions are others; the predictions are the simulator's.

# %% id="spark-decisions"
if profile != "laptop":
    plain = {"engine": "vllm", "model": "llama-3.1-8b", "quantization": "nvfp4"}
    DECISIONS = {
        "chat": {**plain, "max_num_seqs": 64},
        "extraction": {**plain, "max_num_seqs": 64},
        "agent": {**plain, "max_num_seqs": 1, "speculation": "eagle3"},
    }
    built = {name: helpers.Deployment.build(**decisions) for name, decisions in DECISIONS.items()}
    EXPECTED = {name: asdict(helpers.predict(briefs[name], one, quick=quick)) for name, one in built.items()}

# %% id="chat-today"
judge("chat today", "chat", dict(briefs["chat"].default))

# %% id="chat-decided"
judge("chat decided", "chat", DECISIONS["chat"], EXPECTED["chat"])

# %% id="chat-table"
helpers.table(rows_of("chat"))

# %% [markdown] id="refused-text"
# And a deployment that does not fit? On a laptop: 24 places with the model's whole context of 4,096 tokens. By the
# bytes of section 2, what will the judge say?

# %% id="refused"
if profile == "laptop":
    too_large = helpers.Deployment.build(**{**DECISIONS["chat"], "max_model_len": 4096})
    try:
        helpers.judge("chat", too_large, quick=quick)
    except helpers.MissingError as refusal:
        print(refusal)

# %% [markdown] id="s4"
# ## 4. Nightly extraction
# Four records are wanted from each document, one request for each record, document after document. Nobody waits for a
# single answer, so the engine may be full: 16 at once. What prompts share here is the *document*, and the requests on
# one document arrive together. An engine that shares a block as soon as it is computed need not compute the document
# for three of the four, even while they run side by side. llama.cpp's slots share only what an earlier request has left
# in the same slot. **Guess: how many times today's goodput does that give?**

# %% id="extraction-today"
judge("extraction today", "extraction", dict(briefs["extraction"].default))

# %% id="extraction-decided"
judge("extraction decided", "extraction", DECISIONS["extraction"], EXPECTED["extraction"])

# %% id="extraction-table"
helpers.table(rows_of("extraction"))

# %% [markdown] id="s5"
# ## 5. A coding agent
# One user: no batch to fill, and nothing to share. A step reads all weights to compute one token, and the processor
# waits for memory. Speculation helps here without changing a word: on a laptop, six proposals of an EAGLE-3 head are
# checked in one pass. With many users at once it gains less and may lose (task 12.4). **Guess: how many times today's
# goodput?**

# %% id="agent-today"
judge("agent today", "agent", dict(briefs["agent"].default))

# %% id="agent-decided"
judge("agent decided", "agent", DECISIONS["agent"], EXPECTED["agent"])

# %% id="agent-table"
helpers.table(rows_of("agent"))

# %% [markdown] id="s6"
# ## 6. Three briefs, three answers
# The decisions and what they gained, in one table. Would the decisions of one brief also win in another? The lab is the
# place to try.

# %% id="answers"
NAMES = ("engine", "quantization", "max_num_seqs", "speculation")
rows = []
for name in briefs:
    one = judged[f"{name} decided"]
    today = judged[f"{name} today"].goodput_per_s
    gain = one.goodput_per_s / today if today else None
    decisions = {key: str(getattr(one.deployment, key) or "as it comes") for key in NAMES}
    rows.append({"brief": name, **decisions, "times today's goodput": gain, "score": one.score})
helpers.table(rows)

# %% [markdown] id="predicted-text"
# And how good were the predictions? A figure that is off by a factor of 2 earns no points for honesty.

# %% id="predicted"
rows = [
    {"brief": name, "figure": figure, **beside}
    for name in briefs
    for figure, beside in judged[f"{name} decided"].predicted.items()
]
helpers.table(rows)

# %% [markdown] id="s7"
# ## 7. The same briefs on a Spark, and on two
# The same kinds of decision on another machine, played by the simulator: every figure below is **simulated**, and of
# the tokens that a speculation proposes, each is assumed to be accepted with a probability of 70 %.
#
# **Guess before you run it:** for the chat service on two Sparks, is it better to run two replicas or to share each
# layer (`tensor_parallel = 2`)? And for the agent, with or without its second Spark?

# %% id="spark-options"
plain = {"engine": "vllm", "model": "llama-3.1-8b", "quantization": "nvfp4"}
tried = [
    ("chat", "spark", {"engine": "vllm", "model": "llama-3.1-8b", "quantization": "bf16"}),
    ("chat", "spark", {**plain, "max_num_seqs": 64}),
    ("chat", "two-sparks", {**plain, "max_num_seqs": 64, "replicas": 2}),
    ("chat", "two-sparks", {**plain, "max_num_seqs": 64, "tensor_parallel": 2}),
    ("extraction", "spark", {**plain, "max_num_seqs": 64}),
    ("agent", "spark", plain),
    ("agent", "spark", {**plain, "speculation": "eagle3"}),
    ("agent", "two-sparks", {**plain, "speculation": "eagle3", "tensor_parallel": 2}),
]

# %% id="spark-simulated"
rows = []
for name, where, decisions in tried:
    one = helpers.simulate_brief(helpers.find_brief(name, where), helpers.Deployment.build(**decisions), quick=True)
    said = ", ".join(f"{value}" if key == "quantization" else f"{key}={value}" for key, value in decisions.items())
    kept = "kept" if one.slo_met else "missed"
    row = {"brief": name, "machine": where, "deployment": said.replace("engine=vllm, model=llama-3.1-8b, ", "")}
    rows.append({**row, "goodput, requests/s": one.goodput_per_s, "objective": kept, "origin": one.origin})
helpers.table(rows)

# %% [markdown] id="spark-text"
# Compare rows of one brief and machine that differ in one decision. For the chat service, where the goodput of two rows
# is alike, the arrivals limit it and not the machine: then objective and cost decide.
#
# `helpers.predict(brief, deployment)` gives such figures as a prediction, for this machine too (the simulator then
# measures the machine once, which takes a few minutes).

# %% [markdown] id="s8"
# ## 8. The record and the leaderboard
# Whoever runs the service next year needs to know what was decided, and why. The record is one page: the figures are
# filled in, the arguments (in brackets) are yours to write.

# %% id="record"
text = helpers.decision_record([judged["chat decided"], judged["chat today"]])
(run_dir / "decision-record.md").write_text(text, encoding="utf-8")
print(text)

# %% [markdown] id="board-text"
# The class's leaderboard is made from the folders that learners hand over (`./course judge leaderboard DIR...`). Only
# who writes a name into `[by]` stands there by name.

# %% id="board"
columns = ("brief", "rank", "name", "score", "goodput", "origin", "bundle")
helpers.table([{key: row[key] for key in columns} for row in helpers.leaderboard([run_dir]).rows])

# %% [markdown] id="milestone-text"
# ## Milestone
# It counts if, for at least one brief, a deployment kept objective and quality, had a prediction, and brought twice the
# goodput of today's. The judge computes every figure again from the records.

# %% id="evidence"
rows = [
    {
        "brief": name,
        "today": folders[f"{name} today"].name,
        "mine": folders[f"{name} decided"].name,
        "goodput": judged[f"{name} decided"].goodput_per_s,
        "score": judged[f"{name} decided"].score,
    }
    for name in briefs
]
run = judged["chat decided"].run
backend = run.target.backend if run is not None else ""

# %% id="milestone-capstone-brief"
helpers.milestone("capstone.brief", evidence={"rows": rows}, run_dir=run_dir, backend=backend)

# %% [markdown] id="think"
# ## To think about
# - Today's chat deployment had prefix caching on. How much did it help, and why not more?
# - Your service grows from 20 assistants to 200. Which decision breaks first, and what would you see?
# - The agent's prompts become 10 times as long. Is its answer still the same?
#
# **Sources**: Little, [A Proof for the Queuing Formula L = λW](https://doi.org/10.1287/opre.9.3.383); Zhong et al.,
# [DistServe](https://arxiv.org/abs/2401.09670) (goodput under an objective); Nygard, [Documenting Architecture
# Decisions](https://www.cognitect.com/blog/2011/11/15/documenting-architecture-decisions).
