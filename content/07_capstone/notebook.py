# %% [markdown] id="intro"
# # The capstone: select a deployment
#
# **After this task you can** read a brief, derive a deployment from it, say beforehand what it will do, have it
# judged under a load that you have not seen, name the cause of what was lost, and write the record of the decision.
#
# **It takes** 3 hours with the lab; 2 cores and 4 GB of memory, no GPU. Run unattended, this notebook takes some
# minutes.
#
# **You should know** tasks 12.1 to 12.5: fair measurement, batching and caches, speculation, the gateway.
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
# A brief is data: a load, lengths, arrivals, shared beginnings, an objective, a budget, a floor of quality. It scales
# to the machine: the course model here, real models on a Spark, the same decisions everywhere.

# %% id="briefs"
briefs = {name: helpers.find_brief(name, profile) for name in helpers.brief_names()}
for brief in briefs.values():
    print(brief.describe(), end="\n\n")

# %% [markdown] id="judged-text"
# **How a deployment is judged** (`./course judge BRIEF --deployment FILE`): what cannot be, is refused before
# anything starts. Then it is started, asked a fixed set of tasks (nobody wins by breaking the model), and put under a
# load drawn from a seed that nobody knows. The score has three parts: goodput under the objective, cost, and how near
# the prediction was. Times are on *the brief's clock*: a small fixed job is measured first, and on a machine that
# takes twice as long for it, the brief happens half as fast.

# %% [markdown] id="s2"
# ## 2. From a brief to numbers
# Before anything is started, a sheet of paper. For the chat service: how many requests are there at once, which part
# of their prompts is the same, and how much KV cache does it take to keep every beginning?

# %% id="paper"
chat = briefs["chat"].load
stay_s = 0.3  # a guess for one answer
in_flight = (chat.rate_per_s or 0) * stay_s
prompt_tokens = chat.preamble_tokens + chat.own_tokens
print(f"Little's law: {in_flight:.1f} requests at once; twice that for clumps: {math.ceil(2 * in_flight)} places")
print(f"{chat.shareable:.0%} of all prompt tokens were computed before, if {chat.preambles} beginnings are kept")
print(f"without them each request computes {prompt_tokens} tokens, with them {chat.own_tokens}")

# %% [markdown] id="paper-text"
# So the decision is not about batching: two places would do. It is about the *cache*. llama.cpp keeps one beginning
# for each slot, so it needs a slot for each of the prompts and some to spare; nano and vLLM share blocks, and need
# room. How many bytes is that?

# %% id="bytes"
shape = helpers.model_shape("course") if profile == "laptop" else None
if shape is not None:
    kv_bytes = 2 * shape.layers * shape.kv_heads * shape.head_size * 2
    for slots, length in ((8, 4096), (40, 4096), (40, 1280)):
        print(f"{slots:>3} slots of {length} tokens: {slots * length * kv_bytes / 1e6:.0f} MB")
    print(f"the brief gives {briefs['chat'].memory_gb:g} GB")

# %% [markdown] id="s3"
# ## 3. The chat service
# First what runs today, then a decision: 40 slots, so that every beginning stays where it is; a context that is as
# long as a request and no longer; eight bits, because quality is not touched (the fixed tasks will say). **Write down
# what you expect of each before you run it.**


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
eight_bits = {"engine": "llama.cpp", "model": "course", "quantization": "q8_0"}
heavy = {"engine": "nano", "model": "course-heavy", "max_model_len": 512}
DECISIONS = {
    "chat": {**eight_bits, "max_num_seqs": 40, "max_model_len": 1280},
    "extraction": {**heavy, "max_num_seqs": 16},
    "agent": {**heavy, "max_num_seqs": 1, "speculation": "eagle3", "draft_tokens": 6},
}

# %% id="spark-decisions"
if profile != "laptop":
    plain = {"engine": "vllm", "model": "llama-3.1-8b", "quantization": "nvfp4"}
    DECISIONS = {
        "chat": {**plain, "max_num_seqs": 64},
        "extraction": {**plain, "max_num_seqs": 64},
        "agent": {**plain, "max_num_seqs": 1, "speculation": "eagle3"},
    }

# %% id="chat-today"
judge("chat today", "chat", dict(briefs["chat"].default))

# %% id="chat-decided"
expected = {"goodput_per_s": 5.3, "ttft_p90_s": 0.07, "output_tokens_per_s": 170.0}
judge("chat decided", "chat", DECISIONS["chat"], expected)

# %% id="chat-table"
helpers.table(rows_of("chat"))

# %% [markdown] id="refused-text"
# And a deployment that cannot be? Forty slots of the model's whole context do not fit into the brief's memory. It is
# refused, and nothing was started.

# %% id="refused"
too_large = {**DECISIONS["chat"], "max_model_len": 4096 if profile == "laptop" else 131072}
if profile == "laptop":
    try:
        helpers.judge("chat", helpers.Deployment.build(**too_large), quick=quick)
    except helpers.MissingError as refusal:
        print(refusal)

# %% [markdown] id="s4"
# ## 4. Nightly extraction
# Four records are wanted from each document, one request each, document after document. Nobody waits for one of them,
# so the engine may be full: 16 at once. What is the same here is the *document*. Requests on one document arrive
# together: an engine that shares a block as soon as it is computed gives three of four requests the document for
# nothing, also while they run side by side. llama.cpp's slots share only what an earlier request has left in that
# slot.

# %% id="extraction-today"
judge("extraction today", "extraction", dict(briefs["extraction"].default))

# %% id="extraction-decided"
expected = {"goodput_per_s": 2.2, "ttft_p90_s": 5.0, "output_tokens_per_s": 44.0}
judge("extraction decided", "extraction", DECISIONS["extraction"], expected)

# %% id="extraction-table"
helpers.table(rows_of("extraction"))

# %% [markdown] id="s5"
# ## 5. A coding agent
# One user. No batch to fill, nothing to share: a step reads all weights to compute one token, and the processor waits
# for memory. The one thing that helps without changing a word is speculation: six proposals of an EAGLE-3 head are
# checked in one pass. Under concurrency the same decision would lose (task 12.4).

# %% id="agent-today"
judge("agent today", "agent", dict(briefs["agent"].default))

# %% id="agent-decided"
expected = {"goodput_per_s": 1.3, "ttft_p90_s": 0.2, "output_tokens_per_s": 55.0}
judge("agent decided", "agent", DECISIONS["agent"], expected)

# %% id="agent-table"
helpers.table(rows_of("agent"))

# %% [markdown] id="s6"
# ## 6. Three briefs, three answers
# What decided, in one table. Each deployment would lose in its neighbour's brief: the lab is the place to try.

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

# %% [markdown] id="s7"
# ## 7. The same briefs on a Spark, and on two
# The decisions are the same, the machine is not. Where it is not at hand, the simulator plays the load: every figure
# below is **simulated**, with the acceptance of a speculation assumed at 70 %.

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
# `helpers.predict(brief, deployment)` gives such figures as a prediction, for this machine too (the simulator then
# measures it once, which takes a few minutes).

# %% [markdown] id="s8"
# ## 8. The record and the leaderboard
# A decision that nobody can read next year was not one. The template has one page; the figures are filled in, the
# arguments are the engineer's.

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
# The judge computes every figure again from the records.

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
# - Today's chat deployment had prefix caching on. Why did it not help?
# - Your service grows from 20 assistants to 200. Which decision breaks first, and what would you see?
# - The agent's prompts become 10 times as long. Is its answer still the same?
