# %% [markdown] id="intro"
# # Lab 12.4: Speculative decoding
#
# **You will** write what makes speculation safe (verification by rejection sampling) and what makes it worth while
# (expected length, speedup, the batch at which it loses), then measure it beside a baseline of its own.
#
# **It takes** 2 hours, the first three parts about 75 minutes; 2 cores, 4 GB of memory, no GPU. **You should know**
# what prefill, decode and a batch are (tasks 12.1 and 12.2). The guided notebook
# `notebooks/04_speculative_decoding.ipynb` shows the same ideas at work.
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | verification, greedy and sampled (exercises 1 to 4) | 30 |
# | 2 | what a pass yields and what it costs (exercises 5 to 8) | 25 |
# | 3 | a measurement beside its baseline; the milestones | 20 |
# | 4, further | many users (exercise 9), trees (exercise 10) | 45 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. The checks look at what your function returns, so write
# it any way you like. `./course check 4` shows all exercises at once; the full answers are in `solutions/`.

# %% id="setup"
from pathlib import Path
from typing import Any

import numpy as np

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
# ## Part 1: verification
# A draft proposes a few tokens; one pass of the target over all of them says what *it* would have written after each.
# Speculation is safe only if the target's output stays the same. Whether it does depends on the few lines that you
# write now.
#
# ### Exercise 1: temperature 0
# Places count from 0. `best[i]` is the target's best token after the first `i` proposals, so there is one more of them
# than there are proposals. What comes out of the pass?


# %% id="ex1-verify-greedy"
def verify_greedy(draft: list[int], best: list[int]) -> list[int]:
    """The tokens that this pass yields: proposals that hold, then one of the target's own.

    Args:
        draft: k proposed tokens.
        best: the target's best token after each prefix of the proposals, k + 1.
    """
    ### BEGIN SOLUTION keep proposals up to one that fails; add the target's token
    kept = 0
    while kept < len(draft) and draft[kept] == best[kept]:
        kept += 1
    return [*draft[:kept], best[kept]]
    ### END SOLUTION


# %% id="check-ex1-verify-greedy"
helpers.check("ex1-verify-greedy", verify_greedy)

# %% [markdown] id="ex2-text"
# ### Exercise 2: temperature 1, is it kept?
# Now both models draw. The target would have drawn this token with probability `target`, the draft drew it with
# probability `proposal`. A token that the draft offers more often than the target wants it must be rejected now and
# then; one that is offered too rarely, never.


# %% id="ex2-keep-probability"
def keep_probability(target: float, proposal: float) -> float:
    """The probability of keeping a proposed token.

    Args:
        target, proposal: the probability of this token in either model; `proposal` is above 0, for it was drawn.
    """
    ### BEGIN SOLUTION compare how often it is wanted with how often it is offered
    return min(1.0, target / proposal)
    ### END SOLUTION


# %% id="check-ex2-keep-probability"
helpers.check("ex2-keep-probability", keep_probability)

# %% [markdown] id="ex3-text"
# ### Exercise 3: and if it is rejected?
# Then a token is drawn again, but not from the target's distribution: the tokens that the draft offers often enough
# have had their share. What the others lack, scaled to sum to 1, is the *residual*.


# %% id="ex3-residual"
def residual(target: list[float], proposal: list[float]) -> list[float]:
    """The distribution from which a rejected token is drawn again.

    Args:
        target, proposal: probabilities over the vocabulary; they differ somewhere.
    """
    ### BEGIN SOLUTION take what the draft offers too rarely, and make it sum to 1
    missing = [max(0.0, wanted - offered) for wanted, offered in zip(target, proposal, strict=True)]
    return [value / sum(missing) for value in missing]
    ### END SOLUTION


# %% id="check-ex3-residual"
helpers.check("ex3-residual", residual)

# %% [markdown] id="ex4-text"
# ### Exercise 4: put together, and put to the test
# Write what happens to one proposed token. `first` and `second` are random numbers from 0 to 1: the first decides
# whether the token is kept, the second draws again if it is not (`pick` takes the token at that place of a
# distribution). The check counts the outcomes of a thousand trials that cover all combinations evenly: each token must
# come out *exactly* as often as the target alone would draw it. Plausible shortcuts do not survive that test.


# %% id="pick"
def pick(distribution: list[float], draw: float) -> int:
    """The token at this place, 0 to 1, of a distribution."""
    return int(np.searchsorted(np.cumsum(distribution), draw, side="right"))


# %% id="ex4-verify-sampled"
def outcome_counts(trials: list[list[float]], target: list[float], proposal: list[float]) -> list[int]:
    """How often each token comes out.

    Args:
        trials: each [proposed token, first, second].
        target, proposal: probabilities over the vocabulary.
    """

    def verify(token: int, first: float, second: float) -> int:
        """The token that comes out."""
        ### BEGIN SOLUTION keep the token or draw it again
        if first < keep_probability(target[token], proposal[token]):
            return token
        return pick(residual(target, proposal), second)
        ### END SOLUTION

    counts = [0] * len(target)
    for token, first, second in trials:
        counts[verify(int(token), first, second)] += 1
    return counts


# %% id="check-ex4-verify-sampled"
helpers.check("ex4-verify-sampled", outcome_counts)

# %% [markdown] id="part-2"
# ## Part 2: what a pass yields, and what it costs
# ### Exercise 5: tokens a pass
# A draft proposes `draft_tokens` tokens, and each is kept with probability `rate`, given that those before it were.
# How many tokens does one pass of the target yield on average? This figure is the **acceptance length**; it counts the
# target's own token too, so it is never below 1.


# %% id="ex5-expected-length"
def expected_length(rate: float, draft_tokens: int) -> float:
    """Tokens that one pass of the target yields on average."""
    ### BEGIN SOLUTION add up the probabilities that a place is reached
    return sum(rate**place for place in range(draft_tokens + 1))
    ### END SOLUTION


# %% id="check-ex5-expected-length"
helpers.check("ex5-expected-length", expected_length)

# %% [markdown] id="ex6-text"
# ### Exercise 6: speedup
# A plain step takes time 1 and yields one token. A speculative one yields `length` tokens; it takes `draft_tokens`
# proposals of `draft_cost` each, and a pass of the target over k + 1 tokens, which takes `verify_cost`.


# %% id="ex6-expected-speedup"
def expected_speedup(length: float, draft_tokens: int, draft_cost: float, verify_cost: float) -> float:
    """How many times as fast tokens come out.

    Args:
        length: tokens that a pass yields.
        draft_tokens: proposals before each pass.
        draft_cost: time of one proposal, in plain steps of the target.
        verify_cost: time of the pass that verifies, in plain steps.
    """
    ### BEGIN SOLUTION divide what comes out by the time that it takes
    return length / (draft_tokens * draft_cost + verify_cost)
    ### END SOLUTION


# %% id="check-ex6-expected-speedup"
helpers.check("ex6-expected-speedup", expected_speedup)

# %% [markdown] id="ex7-text"
# ### Exercise 7: a draft without a model
# The cheapest draft is the text itself: if its last `n` tokens stood in it before, propose what followed them there. If
# they stood in several places, the latest counts. Propose at most `draft_tokens`: fewer if fewer follow, none if there
# is no such place.


# %% id="ex7-ngram"
def propose_ngram(ids: list[int], n: int, draft_tokens: int) -> list[int]:
    """What followed the last n tokens the last time they stood in the text.

    Args:
        ids: the text so far, prompt and answer.
    """
    ### BEGIN SOLUTION look for the tail, from the end backwards
    tail = ids[-n:]
    for start in range(len(ids) - n - 1, -1, -1):
        if ids[start : start + n] == tail:
            return ids[start + n : start + n + draft_tokens]
    return []
    ### END SOLUTION


# %% id="check-ex7-ngram"
helpers.check("ex7-ngram", propose_ngram)

# %% [markdown] id="ex8-text"
# ### Exercise 8: acceptance, as the engine counted it
# Engines count drafts, proposed tokens and accepted tokens since their start. Read before and after a run, the counters
# give the acceptance length and the acceptance rate of that run. Without a draft in between, both are None.


# %% id="ex8-acceptance"
def acceptance(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """Acceptance between two moments.

    Args:
        before, after: {"drafts_total", "draft_tokens_total", "accepted_tokens_total"}.

    Returns:
        {"length": tokens that a pass of the target yielded, "rate": share of proposals that were kept}
    """
    ### BEGIN SOLUTION take differences; each draft is one pass
    drafts, proposed, accepted = (
        after[name] - before[name] for name in ("drafts_total", "draft_tokens_total", "accepted_tokens_total")
    )
    if not drafts:
        return {"length": None, "rate": None}
    return {"length": 1 + accepted / drafts, "rate": accepted / proposed}
    ### END SOLUTION


# %% id="check-ex8-acceptance"
helpers.check("ex8-acceptance", acceptance)

# %% [markdown] id="part-3"
# ## Part 3: measure it
# No speedup without a baseline: each configuration runs beside the same engine without speculation, on the same
# prompts, repeats in turn. **Guess first: what is the best speedup on predictable answers (temperature 0), and on free
# ones (temperature 1)?**

# %% id="guess"
guess_predictable, guess_free = None, None

# %% [markdown] id="choose-text"
# **Choose the configurations** that you want to know about: a kind of draft (`ngram`, `draft` or `eagle3`) and how many
# tokens it proposes. Two are there to begin with; add one of your own, and leave the first: a milestone asks for it.

# %% id="choose"
own_engine = "nano" if engine == "auto" and helpers.choose_profile(helpers.read_hardware()) == "laptop" else engine
own_model = "course-heavy" if model == "course" and own_engine in ("nano", "llama.cpp") else model
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "eagle3, 4 tokens": {"speculation": "eagle3", "draft_tokens": 4},
    "ngram, 4 tokens": {"speculation": "ngram", "draft_tokens": 4},
}

# %% id="start"
servers = {"baseline": helpers.launch(own_engine, own_model, max_num_seqs=4)}
for label, options in CONFIGURATIONS.items():
    servers[label] = helpers.launch(own_engine, own_model, max_num_seqs=4, beside=True, **options)
print(servers["baseline"].backend)

# %% id="measure"
comparisons, folders = {}, {}
for kind in ("predictable", "free"):
    folders[kind] = helpers.new_folder(run_dir, f"bundle-{kind}")
    workload = helpers.class_prompts(kind, 24 if quick else 64, seed=seed)
    comparisons[kind] = helpers.compare(
        servers, workload, helpers.ClosedLoop(1), 1 if quick else 16, repeats=5, out=folders[kind]
    )
for one in servers.values():
    one.stop()

# %% [markdown] id="read-text"
# Your function reads the counters; each speedup is a ratio with its interval. Where the interval holds 1, no difference
# was shown. SGLang counts the passes that verified something, and no proposals: there, the course divides output tokens
# by passes, and no rate is known.


# %% id="counted"
def counted(run: helpers.Run) -> dict[str, float | None]:
    """Acceptance of a run: by your function, if the engine counts what that needs."""
    if "accepted_tokens_total" in run.counters["after"]:
        return acceptance(run.counters["before"], run.counters["after"])
    length, rate = helpers.counted_acceptance(run)
    return {"length": length, "rate": rate}


# %% id="rows"
rows = []
for kind, comparison in comparisons.items():
    for run in comparison.runs[1:]:
        speedup = comparison.ratio(run.label)
        rows.append(
            {
                "bundle": folders[kind].name,
                "label": run.label,
                "speedup": [speedup.estimate, speedup.low, speedup.high],
                **counted(run),
            }
        )
for kind, guess in (("predictable", guess_predictable), ("free", guess_free)):
    best = max(row["speedup"][0] for row in rows if row["bundle"] == folders[kind].name)
    print(f"{kind}: the best speedup is {best:.2f}, guessed {guess}")
helpers.table([{**row, "speedup": " to ".join(f"{bound:.2f}" for bound in row["speedup"][1:])} for row in rows])

# %% [markdown] id="predicted-text"
# What does exercise 6 promise for these lengths? The two costs below are guesses: put your own in their place. And why
# can exercise 5, given the counters' rate, miss the length that was counted? Its rate is that of a proposal whose
# predecessors were kept. The counters' is a mean over all proposals, also those behind one that had failed.

# %% id="predicted"
for row in rows:
    if row["length"] is not None and row["rate"] is not None:
        k = CONFIGURATIONS[row["label"]].get("draft_tokens", 4)
        promised = expected_speedup(row["length"], k, draft_cost=0.05, verify_cost=1.3)
        print(f"{row['bundle']}, {row['label']}: promised {promised:.2f}, measured {row['speedup'][0]:.2f} times;")
        print(f"  {row['length']:.2f} tokens a pass counted, {expected_length(row['rate'], k):.2f} by exercise 5")

# %% id="report"
bundles = [(Path(folder.name), helpers.load_bundle(folder)) for folder in folders.values()]
html, markdown = helpers.write_report(helpers.build_report(bundles, title="Speculative decoding"), run_dir)
print(f"open {html.name} in {run_dir}")

# %% [markdown] id="milestones-text"
# ### Milestones
# The judge computes every figure again from the records and the engines' counters. A configuration that lost counts as
# much as one that gained, but at least one must have gained: its whole interval lies above 1.

# %% id="milestone-12-4-speedup"
helpers.milestone(
    "12.4.speedup",
    evidence={"rows": [row for row in rows if row["length"]]},
    run_dir=run_dir,
    backend=servers["baseline"].backend,
)

# %% id="eagle3-evidence"
eagle3 = {"bundle": folders["predictable"].name, "label": "eagle3, 4 tokens", "speculation": "eagle3"}

# %% id="milestone-12-4-eagle3"
helpers.milestone("12.4.eagle3", evidence=eagle3, run_dir=run_dir, backend=servers["eagle3, 4 tokens"].backend)

# %% [markdown] id="part-4"
# ## Part 4, further: many users, and trees
# ### Exercise 9: from which batch on does it lose?
# A step of the target takes `fixed_s` plus `per_token_s` for each token that it computes. With `b` sequences it
# computes `b` tokens, or `b * (draft_tokens + 1)` when it verifies; drafting takes `draft_s` before that, for all
# sequences together. Which is the first of these batches at which tokens come out no faster than without speculation?


# %% id="ex9-batch-that-loses"
def first_losing_batch(
    batches: list[int], fixed_s: float, per_token_s: float, length: float, draft_tokens: int, draft_s: float
) -> int | None:
    """The first batch at which speculation gains nothing; None if it gains at all of them.

    Args:
        batches: numbers of sequences, rising.
        length: tokens that a pass yields for each sequence.
    """
    ### BEGIN SOLUTION compare the seconds per token, with and without
    for batch in batches:
        plain_s = fixed_s + per_token_s * batch
        speculative_s = draft_s + fixed_s + per_token_s * batch * (draft_tokens + 1)
        if speculative_s / length >= plain_s - 1e-12:
            return batch
    return None
    ### END SOLUTION


# %% id="check-ex9-batch-that-loses"
helpers.check("ex9-batch-that-loses", first_losing_batch)

# %% [markdown] id="ex10-text"
# ### Exercise 10: a tree of proposals
# EAGLE and Medusa can propose several tokens for one place: a tree. All of it is verified in one pass, if each node
# sees exactly the nodes that it follows. `parents[i]` is the node before node `i` (-1: it follows the text); parents
# come before their children.


# %% id="ex10-tree-mask"
def tree_mask(parents: list[int]) -> list[list[int]]:
    """mask[i][j] is 1 if node i may see node j, else 0."""
    ### BEGIN SOLUTION give each node what its parent sees, and itself
    mask: list[list[int]] = []
    for node, parent in enumerate(parents):
        row = [0] * len(parents) if parent < 0 else list(mask[parent])
        row[node] = 1
        mask.append(row)
    return mask
    ### END SOLUTION


# %% id="check-ex10-tree-mask"
helpers.check("ex10-tree-mask", tree_mask)

# %% [markdown] id="think"
# ### To think about
# - Your colleague's server accepts a sampled proposal "if it is the target's most likely token". Which users notice?
# - A draft is trained on chat, and your users write code. Which of the figures above moves, and what do you change?
# - Why does a mixture-of-experts model gain less from the same acceptance length?
