# %% [markdown] id="intro"
# # Task 12.4: Speculative decoding with SGLang and EAGLE-3
#
# **After this task you can** say why one pass of a model can yield several tokens, and why its output stays the same;
# measure what speculation gains beside a baseline of its own; read acceptance length and rate from an engine's
# counters; find the load at which it starts to lose, and say why; and plan SGLang with EAGLE-3 for a Spark.
#
# **It takes** 2 hours: sections 1 to 6 are the core (75 minutes), 7 to 9 are marked *further*. It needs 2 cores and 4
# GB of memory; no GPU. Run unattended, all of it takes some minutes.
#
# **You should know** what prefill and decode are (task 12.1), and what continuous batching is (task 12.2).
#
# | section | what | minutes |
# |---|---|---|
# | 1, 2 | one pass, several tokens; why nothing changes | 25 |
# | 3 | what a pass yields, what it costs | 15 |
# | 4, 5 | measured beside its baseline, by kind of text; how many tokens to propose | 20 |
# | 6 | many users: where it loses | 15 |
# | 7, 8 | further: other engines; SGLang on a Spark | 30 |
# | 9 | further: Medusa, MTP, trees | 10 |
# | 10 | the report | 5 |
#
# **Check yourself** before you start:
#
# 1. Why does a decode step of a large model take hardly longer for four sequences than for one?
# 2. Which token does a model write at temperature 0, and which at temperature 1?
# 3. What is a speedup of 0.8?
#
# <details><summary>Answers</summary>
#
# 1. Most of the step is reading the weights, and they are read once for all sequences. (Not sure? Task 12.2.)
# 2. Its most likely token; one drawn from its distribution.
# 3. A loss: the same answer takes 1.25 times as long.
#
# </details>

# %% id="setup"
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from IPython.display import display

import helpers
from helpers.nano.speculative import expected_acceptance_length

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

# %% [markdown] id="guessing"
# ## How to read this notebook
# Before each measurement you are asked for a guess. Write it into its cell (`guess = 2.0`) before you run the next
# one. Every sentence about a result is made from what was measured a moment ago, on this machine.


# %% [markdown] id="s1"
# ## 1. One pass, several tokens
# Decode waits for memory: a step reads all weights to compute *one* token of each sequence, and the arithmetic units
# idle meanwhile. Now let somebody *guess* the next four tokens. One pass over the newest token and the four guesses
# computes what the model would have written after each of the five, and the weights are still read only once. That is
# speculative decoding: a cheap **draft** proposes, and the model, now called the **target**, verifies.
#
# Who can guess? Three kinds of draft are used in this notebook:
#
# - **n-gram look-up**: what followed the last few tokens when they stood in the text before. It costs next to nothing.
# - **draft model**: a smaller model with the same vocabulary. The course's has a fifth of the course model's weights.
# - **EAGLE-3**: a head of one layer. It reads the target's own hidden states, and so starts from what the target has
#   computed already.

# %% id="choose-engine"
own_engine = "nano" if engine == "auto" and profile == "laptop" else engine
with helpers.launch(own_engine, model) as plain:
    expected = str(plain.chat("Count from 1 to 20.", max_tokens=64, temperature=0))
    print(plain.backend)
    print("¦".join(plain.stream("Count from 1 to 20.", max_tokens=64, temperature=0)))

# %% [markdown] id="pieces-text"
# Each piece between two bars came out of one pass of the target: one token. Now the same question with EAGLE-3 and four
# proposals a pass. **Guess: how many tokens will a pass yield on average?**

# %% id="guess-pieces"
guess = None

# %% id="pieces"
with helpers.launch(own_engine, model, speculation="eagle3", draft_tokens=4) as speculative:
    print("¦".join(speculative.stream("Count from 1 to 20.", max_tokens=64, temperature=0)))
    same = str(speculative.chat("Count from 1 to 20.", max_tokens=64, temperature=0)) == expected
    counted = speculative.metrics()
print("the same words:", same)
print(
    "by the engine's own counters:", helpers.beside(guess, counted["acceptance_length"], "tokens a pass of the target")
)

# %% [markdown] id="acceptance-view-text"
# The same answer, seen from inside nano: proposals that were kept, proposals that were thrown away, and in bold the
# target's own tokens. Ask for a story at temperature 1, or change the draft: how much is still kept?

# %% id="acceptance-view"
helpers.AcceptanceView("Count from 1 to 20.", seed=seed)

# %% [markdown] id="s2"
# ## 2. Why nothing changes
# At temperature 0 it is simple: a proposal holds if it is the token that the target would have taken in its place. Two
# passes with three proposals each; *target* is what the target takes after none, one, two and three of them. **Guess:
# which tokens come out of each pass?**

# %% id="verify-greedy"
EXAMPLES = (("5 7 9", "5 7 2 4", "5 7 2"), ("1 8 9", "5 8 9 6", "5"))  # proposed, target, what comes out
rows = []
for proposed, target, yields in EXAMPLES:
    equal = (one == other for one, other in zip(proposed.split(), target.split(), strict=False))
    agrees = " ".join("yes" if one else "no" for one in equal)
    rows.append({"proposed": proposed, "target": target, "agrees": agrees, "yields": yields})
helpers.table(rows)

# %% [markdown] id="verify-greedy-read"
# First row: two proposals hold, and the third place gets the target's own token: three tokens from one pass. Second
# row: the first proposal fails. The other two agree with the target, but behind a token that will not be written, so
# they count nothing. The pass still yields the target's own token, as a plain step does.

# %% [markdown] id="sampled-text"
# At temperature 1 the target has no single right token; it has a *distribution* p. The draft drew its proposal from a
# distribution of its own, q. Keep a proposal with probability min(1, p/q). If it is rejected, draw again from what the
# draft offers too rarely: max(0, p - q), scaled to sum to 1. A token is proposed and kept with probability min(p, q),
# and the second draw adds exactly what is missing to p: what comes out is distributed as the target's own tokens
# ([Leviathan et al., 2023](https://arxiv.org/abs/2211.17192)).


# %% id="verify-sampled"
def verify_sampled(token: int, p: np.ndarray, q: np.ndarray, random: np.random.Generator) -> int:
    """What comes out for one proposed token."""
    if random.random() < p[token] / q[token]:
        return token
    missing = np.maximum(0, p - q)
    return int(random.choice(len(p), p=missing / missing.sum()))


def accept_if_best(token: int, p: np.ndarray, q: np.ndarray, random: np.random.Generator) -> int:
    """A plausible shortcut: take it if it is the target's most likely token, else draw from the target."""
    return token if token == p.argmax() else int(random.choice(len(p), p=p))


# %% [markdown] id="shortcut-text"
# The second function is a shortcut that reads well. **Guess, in %: how often does the target's favourite, whose
# probability is 40 %, come out of it?**

# %% id="guess-shortcut"
guess = None

# %% id="distribution"
random = np.random.default_rng(seed)
p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.25, 0.15, 0.2, 0.4])
proposals = random.choice(len(q), size=20_000, p=q)
shares = {}
for rule in (verify_sampled, accept_if_best):
    outcomes = [rule(int(token), p, q, random) for token in proposals]
    shares[rule.__name__] = np.bincount(outcomes, minlength=len(p)) / len(outcomes)
print(helpers.beside(guess, 100 * shares["accept_if_best"][0], "% for the favourite"))

# %% id="distribution-test"
CRITICAL = 16.27  # chi-square, 3 degrees of freedom: exceeded by chance once in a thousand times
rows = []
for rule, share in shares.items():
    chi_square = float((len(proposals) * (share - p) ** 2 / p).sum())
    verdict = "as the target" if chi_square < CRITICAL else "NOT as the target"
    rows.append({"rule": rule, **{f"token {token}": value for token, value in enumerate(share)}, "verdict": verdict})
wanted = {f"token {token}": value for token, value in enumerate(p)}
helpers.table([{"rule": "the target itself", **wanted, "verdict": None}, *rows])

# %% [markdown] id="s3"
# ## 3. What a pass yields, and what it costs
# If a proposal is kept with probability a (given that those before it were), k proposals yield on average
# $1 + a + a^2 + \dots + a^k$ tokens: the **acceptance length**. The target's own token is the 1.

# %% id="lengths"
lengths = range(1, 11)
figure = go.Figure(layout={"title": "Acceptance length by draft length (computed)", "height": 340})
for rate in (0.5, 0.7, 0.8, 0.9):
    figure.add_scatter(
        x=list(lengths), y=[expected_acceptance_length(rate, k) for k in lengths], name=f"rate {rate:.0%}"
    )
figure.update_layout(xaxis_title="Proposed tokens k", yaxis_title="Tokens a pass of the target", template="none")
figure

# %% [markdown] id="cost-of-drafts-text"
# At a low rate more proposals soon add nothing: long drafts are for predictable text. And proposals cost time. If one
# proposal takes `c`, and the verifying pass `v`, both in plain steps of the target, the speedup is length / (k c + v).

# %% id="cost-of-drafts"
rows = []
for rate in (0.5, 0.8):
    for draft_tokens in (2, 4, 8):
        length = expected_acceptance_length(rate, draft_tokens)
        gains = {f"c = {c:.0%}": length / (draft_tokens * c + 1.2) for c in (0.0, 0.05, 0.2)}
        rows.append({"rate": rate, "k": draft_tokens, "tokens a pass": length, **gains})
print("Computed, for v = 1.2. Below 1 it is a loss:")
helpers.table(rows)

# %% [markdown] id="s4"
# ## 4. Measured, beside its baseline
# A speedup is a ratio of two measurements: the engine with speculation, and the same engine without, on the same
# prompts, in turn.
#
# nano and llama.cpp run the *heavy variant*: the course model padded with zeros to the memory traffic of a model of 150
# million parameters. It writes the same tokens. The course model's own weights fit in a processor's cache, and decode
# would hardly wait for memory. Beside the heavy variant the draft model is very small, less than a hundredth of it. In
# a real pair, such as Qwen3-0.6B for Qwen3-8B, it is nearer to a fifteenth, and a proposal costs more.
#
# Three kinds of text: **predictable** (counting, lists, definitions) and **semi** (JSON, stories) at temperature 0,
# **free** (stories) at temperature 1. Quick runs leave *semi* out. **Guess the speedup of the best draft on predictable
# text, and on free text.**

# %% id="guess-classes"
guess_predictable, guess_free = None, None

# %% id="start-drafts"
own_model = "course-heavy" if model == "course" and own_engine in ("nano", "llama.cpp") else model
DRAFTS = {
    "baseline": {},
    "n-gram": {"speculation": "ngram"},
    "draft model": {"speculation": "draft"},
    "EAGLE-3": {"speculation": "eagle3", "draft_tokens": 4},
}
folders: list[Path] = []


# %% id="start-all"
def start_all(
    engine_name: str, model_name: str, drafts: dict[str, dict], beside: bool = False
) -> dict[str, helpers.Server]:
    """One server a draft, in order; a draft that this engine or model does not have is left out, and said."""
    started = {}
    for label, options in drafts.items():
        others = beside or bool(started)
        try:
            started[label] = helpers.launch(engine_name, model_name, max_num_seqs=16, beside=others, **options)
        except helpers.UsageError as refusal:
            print(f"{label}: {refusal.what}")
    return started


# %% id="compare-kinds"
def compare(
    servers: dict[str, helpers.Server], kind: str, users: int = 1, name: str = "", tokens: int = 0
) -> helpers.Comparison:
    """Put one kind of text on all servers, repeats in turn, and keep the bundle."""
    folders.append(helpers.new_folder(run_dir, f"bundle-{name or kind}"))
    workload = helpers.class_prompts(kind, tokens or (16 if quick else 64), seed=seed)
    if users > 1:
        workload = replace(workload, given=workload.given[:users])  # the warm-up leaves them all in the prefix cache
    requests = users if quick else 8 * users
    return helpers.compare(servers, workload, helpers.ClosedLoop(users), requests, repeats=5, out=folders[-1])


# %% id="choose-kinds"
def choose_kinds(server: helpers.Server) -> tuple[str, ...]:
    """The kinds of text to measure; without sampled text where the engine's speculation is wrong on it."""
    wrong = server.engine == "vllm" and profile == "laptop"
    kinds = ("predictable", "free") if quick else ("predictable", "semi", "free")
    return tuple(kind for kind in kinds if kind != "free" or not wrong)


# %% id="measure-kinds"
servers = start_all(own_engine, own_model, DRAFTS)
backend = servers["baseline"].backend
by_kind = {kind: compare(servers, kind) for kind in choose_kinds(servers["baseline"])}


# %% id="kinds-table"
def speed_rows(comparison: helpers.Comparison, **more: object) -> list[dict]:
    """Speedup with interval, and acceptance by the engine's counters, of every run beside the baseline."""
    rows = []
    for run in comparison.runs[1:]:
        speedup = comparison.ratio(run.label)
        length, rate = helpers.counted_acceptance(run)
        shown = f"{speedup.estimate:.2f} ({speedup.low:.2f} to {speedup.high:.2f})"
        row = {**more, "draft": run.label, "speedup (95 % interval)": shown, "tokens a pass": length, "kept": rate}
        rows.append(row)
    return rows


kinds_table = helpers.table([row for kind, result in by_kind.items() for row in speed_rows(result, text=kind)])
kinds_table

# %% id="kinds-read"
for kind, guess in (("predictable", guess_predictable), ("free", guess_free)):
    if kind not in by_kind:
        continue
    best = max(by_kind[kind].runs[1:], key=lambda run: by_kind[kind].ratio(run.label).estimate)
    print(
        f"{kind}, {best.label}:", helpers.beside(guess, by_kind[kind].ratio(best.label).estimate, "times the baseline")
    )
base_runs = {kind: result.runs[0] for kind, result in by_kind.items()}
print("baseline:", {kind: f"{run.metrics.output_tokens_per_s:.1f} tokens/s" for kind, run in base_runs.items()})

# %% id="acceptance-plot"
accepted = {}
for kind, result in by_kind.items():
    for run in result.runs[1:]:
        length, rate = helpers.counted_acceptance(run)
        if length is not None:
            accepted[f"{kind}, {run.label}"] = (length, rate or 0.0)
acceptance_figure = helpers.acceptance(accepted)
words = f"Measured on {backend}; each speculative run beside the same engine without speculation."
report_sections.append(helpers.Section("Speculation by kind of text", words, kinds_table, (acceptance_figure,)))
acceptance_figure

# %% [markdown] id="kinds-why"
# Compare the rows of one draft: target and draft are the same, only the *text* differs. A draft that was trained on
# what the target writes can foresee a list. At temperature 1 the target draws its next token, and no draft can foresee
# a draw. An n-gram look-up finds something only where a text repeats itself or its prompt, as JSON does. So measure on
# your own users' text: no other tells you what you will gain.

# %% [markdown] id="side-by-side-text"
# See it run: the same words, at another pace. Ask for something that a draft can hardly foresee, and race them again.

# %% id="side-by-side"
pair = {label: servers[label] for label in ("baseline", list(servers)[-1])}
helpers.SideBySide(pair, "Count from 1 to 20.", max_tokens=24 if quick else 48) if len(pair) > 1 else pair

# %% [markdown] id="s5"
# ## 5. How many tokens to propose
# More proposals yield more where they are kept, and cost the same where they are not. **Guess: which k is the best for
# EAGLE-3 on predictable text?**

# %% id="guess-k"
guess = None

# %% id="sweep-k"
for label in [label for label in servers if label not in ("baseline", "EAGLE-3")]:
    servers.pop(label).stop()
options = {f"k = {k}": {"speculation": "eagle3", "draft_tokens": k} for k in ((2, 8) if quick else (1, 2, 3, 6, 8))}
lengths_tried = start_all(own_engine, own_model, options, beside=True)
by_length = sorted({**lengths_tried, "k = 4": servers["EAGLE-3"]}.items())  # the one with four is there already
by_k = compare({"baseline": servers["baseline"], **dict(by_length)}, "predictable", name="draft-tokens")
for one in lengths_tried.values():
    one.stop()
k_table = helpers.table(speed_rows(by_k))
report_sections.append(helpers.Section("How many tokens to propose", f"EAGLE-3, measured on {backend}.", k_table))
k_table

# %% id="sweep-k-read"
ratios = {run.label: by_k.ratio(run.label).estimate for run in by_k.runs[1:]}
best_k = int(max(ratios, key=ratios.__getitem__).split()[-1])
print(helpers.beside(guess, best_k, "proposed tokens, the best of those tried"))

# %% [markdown] id="s6"
# ## 6. Many users: where it loses
# Verification was cheap because the arithmetic units idled. With 16 sequences in a step they idle less, and with k = 4
# a verifying pass computes 80 tokens in place of 16, whether they are kept or not. (The prompts are the same in each
# repeat, so that the prefix cache has them and only decoding is compared.) **Guess: what is the speedup of EAGLE-3 at 4
# users, and at 16?**

# %% id="guess-users"
guess_4, guess_16 = None, None

# %% id="many-users"
users = (1, 4, 16)
by_users = {n: compare(servers, "predictable", n, f"{n}-users", tokens=12 if quick else 48) for n in users}
for one in servers.values():
    one.stop()
users_table = helpers.table([row for n, result in by_users.items() for row in speed_rows(result, users=n)])
report_sections.append(helpers.Section("Many users", f"EAGLE-3, measured on {backend}.", users_table))
users_table

# %% id="many-users-read"
gain = {n: result.ratio("EAGLE-3") for n, result in by_users.items()}
print("at 4 users:", helpers.beside(guess_4, gain[4].estimate, "times"))
print("at 16 users:", helpers.beside(guess_16, gain[16].estimate, "times"))
falls = gain[16].high < gain[1].low
print("The gain falls from 1 user to 16." if falls else "No fall from 1 user to 16 is shown: the intervals overlap.")
loses = "loses" if gain[16].high < 1 else "gains" if gain[16].low > 1 else "is not shown to gain or lose: 1 is inside"
print(f"At 16 users speculation {loses} ({gain[16].low:.2f} to {gain[16].high:.2f}).")

# %% [markdown] id="cause-text"
# ### Which term of the step's time?
# Write the time of a step as a fixed part and a part for each token that it computes, and fit both to the baseline's
# steps of 1, 4 and 16 tokens: one for each user. (TPOT, the time per token of a stream, is taken as the time of a
# step.) A verifying pass computes k + 1 tokens a user, so its price follows.

# %% id="cause"
tpot_s = {n: result.runs[0].metrics.tpot_s.p50 for n, result in by_users.items()}
per_token_s, fixed_s = np.polyfit(list(tpot_s), list(tpot_s.values()), 1)
print(f"a step takes about {fixed_s * 1000:.1f} ms and {per_token_s * 1000:.2f} ms for each token that it computes")
if min(fixed_s, per_token_s) <= 0:
    print("neither part can be below zero: the machine was too busy for this fit, and the table means nothing")
verified = DRAFTS["EAGLE-3"]["draft_tokens"] + 1
rows = []
for n, result in by_users.items():
    length, _ = helpers.counted_acceptance(result["EAGLE-3"])
    cost = (fixed_s + verified * n * per_token_s) / (fixed_s + n * per_token_s)
    rows.append({"users": n, "verifying pass, in plain steps": cost, "tokens a pass": length, "at most": length / cost})
    rows[-1]["measured speedup"] = gain[n].estimate
helpers.table(rows)

# %% [markdown] id="cause-read"
# *At most* leaves out the time for drafting. **On a Spark**, computed from published limits and not measured: a dense
# 8B model in bf16 has a fixed part of some 60 ms (16 GB of weights at 273 GB/s), and a token's arithmetic takes 0.13 to
# 0.27 ms. By this count, verifying four proposals for each of ten users makes a step 8 to 17 % longer. A
# mixture-of-experts model is different: each proposed token may call other experts, whose weights must be read too.

# %% [markdown] id="s7"
# ## 7. Further: other engines
# The same three drafts on whatever else runs here: llama.cpp, and vLLM where it is installed; in full mode with every
# kind of text, and with many users.
#
# vLLM's CPU wheel (0.32) gets no sampled text. With speculation it divides the target's logits not by the temperature
# but by memory that was never written, and draws tokens that the target hardly wanted. No speed shows such a fault;
# the distribution does: section 2 in real life. At temperature 0 it is right.
#
# **Guess: is the acceptance length of the same draft the same in every engine?**

# %% id="other-engines"
others = [name for name in ("llama.cpp", "vllm") if name != own_engine] if profile == "laptop" else []
not_run: dict[str, str] = {}
engine_rows = speed_rows(by_kind["predictable"], engine=own_engine, text="predictable", users=1)
for name in others:
    try:
        servers = start_all(name, "course-heavy" if name == "llama.cpp" else "course", DRAFTS)
    except helpers.EngineUnavailable as error:
        not_run[name] = error.cause
        continue
    loads = [*((kind, 1) for kind in choose_kinds(servers["baseline"])), ("predictable", 4), ("predictable", 16)]
    for kind, n in loads[:1] if quick else loads:
        result = compare(servers, kind, n, name=f"{name}-{kind}-{n}")
        engine_rows += speed_rows(result, engine=name, text=kind, users=n)
    for one in servers.values():
        one.stop()

# %% id="other-engines-table"
unknown = dict.fromkeys(engine_rows[0])
rows = [{**unknown, "engine": name, "draft": f"not-run: needs {needs}"} for name, needs in not_run.items()]
engines_table = helpers.table(engine_rows + rows)
report_sections.append(helpers.Section("Engines", "Each engine beside itself without speculation.", engines_table))
engines_table

# %% id="other-engines-read"
alike = [row for row in engine_rows if (row["text"], row["users"]) == ("predictable", 1)]
for draft in dict.fromkeys(row["draft"] for row in alike):
    lengths_by_engine = {row["engine"]: row["tokens a pass"] for row in alike if row["draft"] == draft}
    print(f"{draft}, tokens a pass:", {name: helpers.digits(length) for name, length in lengths_by_engine.items()})

# %% [markdown] id="s8"
# ## 8. Further: SGLang with EAGLE-3 on a Spark
# SGLang's EAGLE has three numbers, given together or not at all: *steps* (how deep), *topk* (how many alternatives at
# each step) and *draft tokens* (how many of the tree are verified). With topk = 1 the tree is a chain, and draft tokens
# is steps + 1: the newest token of the text counts too.
#
# An older course gave one of the three, and a draft that was trained for another model. SGLang refuses the first at
# start. The second may start all the same, and then an acceptance length near 1.0 is all that tells of it.

# %% id="sglang-plan"
config = {"speculation": "eagle3", "draft_tokens": 5, "container": True}
chain = helpers.make_plan("sglang", "llama-3.1-8b", **config)
print(chain.shell)

# %% id="sglang-tree"
tree = helpers.make_plan("sglang", "llama-3.1-8b", **config, extra={"eagle_topk": 8, "verify_tokens": 32})
numbers = {
    name: {word: value for word, value in pairwise(plan.shell.split()) if word.startswith("--speculative-num")}
    | {"--speculative-eagle-topk": dict(pairwise(plan.shell.split()))["--speculative-eagle-topk"]}
    for name, plan in (("chain", chain), ("tree, the published recipe for a Spark", tree))
}
helpers.table([{"plan": name, **found} for name, found in numbers.items()])

# %% [markdown] id="sglang-run-text"
# Where SGLang can run, it is launched and measured like any engine, beside itself without speculation; its own metrics
# have the acceptance length. Published by others: LMSYS speaks of up to 2 times on a Spark, without a table; for an
# H100 SGLang's documentation has 373 tokens/s against 158 (2.36 times), Llama-3.1-8B on MT-bench. **Guess what a Spark
# would show on predictable text.**

# %% id="sglang-run"
sglang_state = "measured"
try:
    servers = start_all("sglang", "llama-3.1-8b", {"baseline": {}, "EAGLE-3": DRAFTS["EAGLE-3"]})
except helpers.EngineUnavailable as error:
    sglang_state = f"not-run: needs {error.cause}"
else:
    result = compare(servers, "predictable", name="sglang")
    backend = servers["EAGLE-3"].backend
    print(f"acceptance length by SGLang's own metrics: {servers['EAGLE-3'].metrics().get('acceptance_length')}")
    display(helpers.table(speed_rows(result)))
    for one in servers.values():
        one.stop()
print("SGLang:", sglang_state)

# %% [markdown] id="s9"
# ## 9. Further: Medusa, MTP, trees
# - **Medusa** puts several heads on the target's last state: head i guesses the token i places ahead, without knowing
#   what the others guessed. EAGLE drafts one token after the other, and each proposal sees those before it. SGLang has
#   no Medusa.
# - **MTP** (multi-token prediction, as in DeepSeek-V3) trains the drafting layers together with the model; the draft
#   comes with the weights. SGLang calls it NEXTN.
# - **Trees** propose alternatives for one place and verify all of them in one pass. Each node may see only what it
#   follows: the attention mask is the tree. More is kept, and more is computed, so a tree is for few users.

# %% id="tree-gain"
ways, rate = (1, 2, 4), 0.6
print("Computed: if one guess is right in 60 % of cases and each further alternative in half of what is left,")
for width in ways:
    hit = 1 - (1 - rate) * 0.5 ** (width - 1)
    length = expected_acceptance_length(hit, 4)
    nodes = sum(width**depth for depth in range(1, 5))
    print(f"{width} a place, 4 deep: {length:.2f} tokens a pass; the whole tree has {nodes} tokens to verify")

# %% [markdown] id="tree-gain-read"
# Each doubling of the alternatives adds fewer tokens a pass, and makes the tree some ten times as large. So EAGLE
# verifies only the likeliest part of it: *draft tokens* in section 8.

# %% [markdown] id="s10"
# ## 10. The report

# %% id="report"
read = [(Path(folder.name), helpers.load_bundle(folder)) for folder in folders]
report = helpers.build_report(read, title="Speculative decoding", more=report_sections)
html, markdown = helpers.write_report(report, run_dir)
print(report.headline)
print(f"open {html.name} and {markdown.name} in {run_dir}")

# %% [markdown] id="milestones-text"
# ## Milestones
# The judge computes every figure again from the records and the engines' counters. It asks that each configuration has
# a baseline of its own, that at most one greedy answer in twenty changed (two passes round differently, and a near tie
# shows it), and that a gain was shown somewhere. Losses count as findings.

# %% id="evidence"
rows = []
for folder, bundle in read:
    comparison = helpers.Comparison(bundle.runs)
    for run in comparison.runs[1:]:
        length, rate = helpers.counted_acceptance(run)
        speedup = comparison.ratio(run.label)
        if length is not None:
            interval = [speedup.estimate, speedup.low, speedup.high]
            rows.append(
                {"bundle": str(folder), "label": run.label, "speedup": interval, "length": length, "rate": rate}
            )

# %% id="milestone-12-4-speedup"
helpers.milestone("12.4.speedup", evidence={"rows": rows}, run_dir=run_dir, backend=backend)

# %% id="eagle3-evidence"
eagle3 = {"bundle": folders[0].name, "label": "EAGLE-3", "speculation": "eagle3"}
if sglang_state == "measured":
    eagle3["bundle"] = folders[-1].name

# %% id="milestone-12-4-eagle3"
helpers.milestone("12.4.eagle3", evidence=eagle3, run_dir=run_dir, backend=backend)

# %% [markdown] id="think"
# ## To think about
# - Speculation changed nobody's text. What did it change for a user who reads along, token by token?
# - Your draft keeps 80 % on Monday and 50 % on Friday. What could have happened, and where would you see it?
# - At which load would you switch speculation off, and how would a scheduler find out by itself?
#
# **Sources**: Leviathan et al., [Fast Inference from Transformers via Speculative Decoding](https://arxiv.org/abs/2211.17192);
# Li et al., [EAGLE-3](https://arxiv.org/abs/2503.01840); Cai et al., [Medusa](https://arxiv.org/abs/2401.10774);
# Saxena, [Prompt Lookup Decoding](https://github.com/apoorvumang/prompt-lookup-decoding), the n-gram look-up;
# [SGLang: speculative decoding](https://docs.sglang.io/).
