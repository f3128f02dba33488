# %% [markdown] id="intro"
# # Task 12.4: Speculative decoding with SGLang and EAGLE-3
#
# **After this task you can** say why a pass of a model can yield several tokens and why nothing of its output changes;
# measure what speculation gains beside a baseline of its own; read acceptance length and rate from an engine's
# counters; say at which load it starts to lose, and why; and start SGLang with EAGLE-3 on a Spark.
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
# | 4, 5 | measured beside its baseline, by kind of text; how many tokens to propose | 25 |
# | 6 | many users: where it loses | 15 |
# | 7, 8 | further: other engines; SGLang on a Spark | 25 |
# | 9 | further: Medusa, MTP, trees | 10 |
# | 10 | the report | 5 |

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


# %% id="beside"
def beside(guess: float | None, measured: float, unit: str) -> str:
    """A guess beside what came out."""
    if guess is None:
        return f"measured {helpers.digits(measured)} {unit} (no guess)"
    factor = max(measured / guess, guess / measured)
    return f"measured {helpers.digits(measured)} {unit}, guessed {guess:g}: off by a factor of {factor:.1f}"


# %% [markdown] id="s1"
# ## 1. One pass, several tokens
# Decode waits for memory: each step reads all weights to compute *one* token a sequence, and the processor idles
# meanwhile. If somebody *guessed* the next four tokens, one pass over all five could check them, for hardly more than
# the price of one: the weights are read once either way. That is speculative decoding. A cheap draft proposes, the
# model, now called the target, verifies.
#
# Who can guess? Three kinds of draft are used in this notebook:
#
# - **n-gram look-up**: what followed the last words when they stood in the text before. Costs nothing.
# - **draft model**: a small model of the same vocabulary. The course's has a fifth of the target's weights.
# - **EAGLE-3**: one extra layer that reads the target's own inner states, and so knows what the target was up to.

# %% id="choose-engine"
own_engine = "nano" if engine == "auto" and profile == "laptop" else engine
with helpers.launch(own_engine, model) as plain:
    expected = str(plain.chat("Count from 1 to 20.", max_tokens=64, temperature=0))
    print(plain.backend)
    print("¦".join(plain.stream("Count from 1 to 20.", max_tokens=64, temperature=0)))

# %% [markdown] id="pieces-text"
# Each piece between two bars came out of one pass of the target. Now the same question with EAGLE-3:

# %% id="pieces"
with helpers.launch(own_engine, model, speculation="eagle3", draft_tokens=4) as speculative:
    print("¦".join(speculative.stream("Count from 1 to 20.", max_tokens=64, temperature=0)))
    same = str(speculative.chat("Count from 1 to 20.", max_tokens=64, temperature=0)) == expected
    counted = speculative.metrics()
print("the same words:", same)
print(f"{counted['acceptance_length']:.2f} tokens a pass of the target: the engine's own counters")

# %% [markdown] id="acceptance-view-text"
# And the same in the text itself, from the inside of nano: what was proposed and kept, what was proposed and thrown
# away, and in bold the target's own tokens. Ask for a story at temperature 1, or change the draft: what is left?

# %% id="acceptance-view"
helpers.AcceptanceView("Count from 1 to 20.", seed=seed)

# %% [markdown] id="s2"
# ## 2. Why nothing changes
# At temperature 0 it is simple: a proposal stands if it is the token that the target would have taken.


# %% id="verify-greedy"
wanted = ["5", "7", "2", "4"]  # the target's choice after each prefix of the proposals
passes = []
for draft, yields in ((["5", "7", "9"], "5 7 2"), (["1", "1", "1"], "5")):
    stands = " ".join("yes" if one == other else "no" for one, other in zip(draft, wanted, strict=False))
    passes.append({"proposed": " ".join(draft), "target": " ".join(wanted), "stands": stands, "yields": yields})
helpers.table(passes)

# %% [markdown] id="verify-greedy-read"
# First row: two proposals stand, and the third place gets the target's own token: three tokens from one pass. Second
# row: no proposal stands, and the pass was still a plain step. What stands after a place that failed counts nothing.

# %% [markdown] id="sampled-text"
# At temperature 1 the target has no single right token; it has a *distribution* p. The draft drew from its own, q.
# Keep a token with probability min(1, p/q). If it is rejected, draw again from what the draft offers too rarely:
# max(0, p - q), made to sum to 1. Then what comes out is distributed exactly as p
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
# The second function is a shortcut that reads well. **Guess: how often does the target's favourite, which it wants in
# 40 % of cases, come out of it?**

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
print(beside(guess, 100 * shares["accept_if_best"][0], "% for the favourite"))

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
# A low rate saturates at once: long drafts are for predictable text. And proposals cost time. With a draft that takes
# `c` steps of the target for each token, and a verifying pass that takes `v`, the speedup is length / (k c + v).

# %% id="cost-of-drafts"
rows = []
for rate in (0.5, 0.8):
    for draft_tokens in (2, 4, 8):
        length = expected_acceptance_length(rate, draft_tokens)
        gains = {f"c = {c:.0%}": length / (draft_tokens * c + 1.2) for c in (0.0, 0.05, 0.2)}
        rows.append({"rate": rate, "k": draft_tokens, "tokens a pass": length, **gains})
print("Computed, with v = 1.2. Below 1 it is a loss:")
helpers.table(rows)

# %% [markdown] id="s4"
# ## 4. Measured, beside its baseline
# A speedup is a ratio, so it has two measured sides: the same engine without speculation, the same prompts, in turn.
# The measured model is the *heavy variant*: the course model padded with zeros to the memory traffic of a model of 150
# million parameters, since a model whose weights fit in the cache does not wait for memory. Every token stays the same.
#
# Three kinds of text: **predictable** (counting, lists, definitions), **semi** (JSON, explanations), **free** (stories,
# sampled at temperature 1). **Guess the speedup of the best draft on predictable text, and on free text.**

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
    print(f"{kind}, {best.label}:", beside(guess, by_kind[kind].ratio(best.label).estimate, "times the baseline"))
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
# The target is the same, the drafts are the same; the *text* decides. A draft that was trained on what the target
# writes foresees a list; nobody foresees what a story at temperature 1 will say next. Your own users' text is the only
# benchmark that tells you what you will gain.

# %% [markdown] id="side-by-side-text"
# See it run: the same words, at another pace. Ask for something that no draft foresees, and race them again.

# %% id="side-by-side"
pair = {label: servers[label] for label in ("baseline", list(servers)[-1])}
helpers.SideBySide(pair, "Count from 1 to 20.", max_tokens=24 if quick else 48) if len(pair) > 1 else pair

# %% [markdown] id="s5"
# ## 5. How many tokens to propose
# More proposals yield more where they are kept, and cost where they are not. **Guess: which k is the best for EAGLE-3
# on predictable text?**

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
print(beside(guess, best_k, "proposed tokens, the best of those tried"))

# %% [markdown] id="s6"
# ## 6. Many users: where it loses
# Verification was cheap because the processor idled. With 16 sequences in a step it idles less: five times as many
# tokens have to be computed, and most proposals of 16 users still cost their share. (The prompts are the same in each
# repeat, so that the prefix cache has them, and decoding is what is compared.) **Guess: what is the speedup of
# EAGLE-3 at 4 users, and at 16?**

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
print(
    "at 4 users:", beside(guess_4, gain[4].estimate, "times"), "| at 16:", beside(guess_16, gain[16].estimate, "times")
)
falls = gain[16].high < gain[1].low
print("The gain falls with the number of users." if falls else "No fall of the gain is shown: the intervals overlap.")
if gain[16].high < 1:
    print("At 16 users speculation loses.")

# %% [markdown] id="cause-text"
# ### Which term of the step's time?
# Write a step as *fixed + per sequence*, and fit both to the baseline's time per step at 1, 4 and 16 sequences. A
# verifying pass computes k + 1 tokens a sequence, so its price follows. (The fit takes the time per token of a stream
# as the time of a step.)

# %% id="cause"
tpot_s = {n: result.runs[0].metrics.tpot_s.p50 for n, result in by_users.items()}
per_token_s, fixed_s = np.polyfit(list(tpot_s), list(tpot_s.values()), 1)
print(f"a step takes about {fixed_s * 1000:.1f} ms and {per_token_s * 1000:.2f} ms for each token that it computes")
rows = []
for n, result in by_users.items():
    length, _ = helpers.counted_acceptance(result["EAGLE-3"])
    verify = (fixed_s + 5 * n * per_token_s) / (fixed_s + n * per_token_s)
    rows.append({"users": n, "verifying pass costs": verify, "tokens a pass": length, "at most": length / verify})
    rows[-1]["measured speedup"] = gain[n].estimate
helpers.table(rows)

# %% [markdown] id="cause-read"
# *At most* leaves out the time for drafting. On a GB10 the fixed part of a dense 8B model in bf16 is some 60 ms of
# reading weights, and a token's arithmetic a fraction of a millisecond: there speculation pays up to far more users.
# A mixture-of-experts model is different: each proposed token may call other experts, whose weights must be read too.

# %% [markdown] id="s7"
# ## 7. Further: other engines
# The same three drafts on whatever else runs here: llama.cpp, and vLLM where it is installed; in full mode every kind
# of text, and many users. vLLM's CPU wheel (0.32) gets no sampled text: with speculation it divides the target's logits
# by memory that was never written instead of by the temperature, and draws words that no model wanted. A fault like
# that shows in no speed and in no acceptance rate, only in the distribution: section 2 in real life. **Guess: is the
# acceptance length of the same draft the same in every engine?**

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

# %% [markdown] id="s8"
# ## 8. Further: SGLang with EAGLE-3 on a Spark
# SGLang's EAGLE has three numbers, given together or not at all: *steps* (how deep), *topk* (how many alternatives at
# each step) and *draft tokens* (how many of the tree are verified). With topk = 1 the tree is a chain, and draft tokens
# is steps + 1. An older course gave one of the three, for a draft that was trained for another model; SGLang refuses
# that at start.

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
# Where SGLang exists, it is launched and measured like any engine, beside itself without speculation. Its own metrics
# name the acceptance length. Published: LMSYS speaks of up to 2 times on a Spark, without a table; on an H100 SGLang's
# documentation has 158 to 373 tokens/s (2.36 times) for Llama-3.1-8B on MT-bench.

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
#   what the others guessed. EAGLE drafts one after the other, on its own states, and so knows. SGLang has no Medusa.
# - **MTP** (multi-token prediction, as in DeepSeek-V3) trains the drafting layers together with the model; the draft
#   comes with the weights. SGLang calls it NEXTN.
# - **Trees** propose alternatives for one place and verify all of them in one pass. Each node may see only what it
#   follows: the attention mask is the tree. More is kept, and more is computed: a tree is for few users.

# %% id="tree-gain"
ways, rate = (1, 2, 4), 0.6
print("Computed: if one guess is right in 60 % of cases and each further alternative in half of what is left,")
for width in ways:
    hit = 1 - (1 - rate) * 0.5 ** (width - 1)
    length = expected_acceptance_length(hit, 4)
    print(f"{width} alternative{'s' if width > 1 else ' '} a place: {length:.2f} tokens a pass, 4 deep")

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
# its own baseline, that no greedy answer changed but for near ties, and that a gain was shown somewhere. Losses count
# as findings.

# %% id="evidence"
rows = []
for folder, bundle in read:
    comparison = helpers.Comparison(bundle.runs)
    for run in comparison.runs[1:]:
        length, rate = helpers.counted_acceptance(run)
        speedup = comparison.ratio(run.label)
        if length is not None and rate is not None:
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
# [SGLang: speculative decoding](https://docs.sglang.io/).
