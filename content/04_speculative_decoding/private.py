"""Task 12.4: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from random import Random
from typing import Any

Inputs = dict[str, Any]


def distribution(rng: Random, size: int, *, zeros: bool = False) -> list[float]:
    """Probabilities in hundredths."""
    cuts = sorted(rng.sample(range(1, 100), size - 1))
    parts = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
    if zeros:
        parts[rng.randrange(size - 1)] += parts[-1]
        parts[-1] = 0
    return [part / 100 for part in parts]


def draw_greedy(rng: Random) -> Inputs:
    """Proposals that hold up to a place, and perhaps again later."""
    best = [rng.randint(1, 9) for _ in range(rng.randint(1, 7))]
    return {"draft": [token if rng.random() < 0.7 else rng.randint(1, 9) for token in best[:-1]], "best": best}


def draw_keep(rng: Random) -> Inputs:
    """Two probabilities."""
    target = 0.0 if rng.random() < 0.1 else round(rng.uniform(0.01, 1.0), 3)
    return {"target": target, "proposal": round(rng.uniform(0.02, 1.0), 3)}


def draw_residual(rng: Random) -> Inputs:
    """Two distributions that differ."""
    size = rng.randint(2, 6)
    while True:
        target, proposal = distribution(rng, size), distribution(rng, size, zeros=rng.random() < 0.3)
        if target != proposal:
            return {"target": target, "proposal": proposal}


def draw_sampled(rng: Random) -> Inputs:
    """Trials with proposals that the draft could have made."""
    drawn = draw_residual(rng)
    tokens = rng.choices(range(len(drawn["proposal"])), drawn["proposal"], k=400)
    # Ends in a digit that no ratio of hundredths comes near, so that < and <= do not differ.
    draws = [[(rng.randrange(10_000) + 0.37) / 10_000 for _ in range(2)] for _ in tokens]
    return {"trials": [[token, *pair] for token, pair in zip(tokens, draws, strict=True)], **drawn}


def draw_length(rng: Random) -> Inputs:
    """A rate of acceptance and a length of drafts."""
    return {"rate": round(rng.uniform(0.05, 0.98), 2), "draft_tokens": rng.randint(0, 10)}


def draw_speedup(rng: Random) -> Inputs:
    """Costs in plain steps."""
    draft_tokens = rng.randint(1, 8)
    return {
        "length": round(rng.uniform(1.0, draft_tokens + 1.0), 2),
        "draft_tokens": draft_tokens,
        "draft_cost": round(rng.uniform(0.0, 0.4), 3),
        "verify_cost": round(rng.uniform(1.0, 2.5), 2),
    }


def draw_ngram(rng: Random) -> Inputs:
    """Texts of few different tokens."""
    return {
        "ids": [rng.randint(1, 3) for _ in range(rng.randint(1, 14))],
        "n": rng.randint(1, 3),
        "draft_tokens": rng.randint(1, 5),
    }


def draw_acceptance(rng: Random) -> Inputs:
    """Counters at two moments; sometimes nothing happened in between."""
    before = {"drafts_total": rng.randint(0, 900), "draft_tokens_total": 0, "accepted_tokens_total": 0}
    before["draft_tokens_total"] = before["drafts_total"] * rng.randint(2, 6)
    before["accepted_tokens_total"] = rng.randint(0, before["draft_tokens_total"])
    drafts = 0 if rng.random() < 0.1 else rng.randint(1, 500)
    proposed = drafts * rng.randint(1, 6)
    added = {"drafts_total": drafts, "draft_tokens_total": proposed, "accepted_tokens_total": rng.randint(0, proposed)}
    return {"before": before, "after": {name: before[name] + added[name] for name in before}}


def draw_losing(rng: Random) -> Inputs:
    """A machine on which no batch is level."""
    while True:
        drawn = {
            "fixed_s": round(rng.uniform(0.002, 0.03), 4),
            "per_token_s": round(rng.uniform(0.0001, 0.002), 5),
            "length": round(rng.uniform(1.2, 4.0), 2),
            "draft_tokens": rng.randint(2, 6),
            "draft_s": round(rng.uniform(0.0, 0.01), 4),
        }
        batches = sorted(rng.sample([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128], rng.randint(2, 6)))
        margins = []
        for batch in batches:
            plain_s = drawn["fixed_s"] + drawn["per_token_s"] * batch
            tokens = batch * (drawn["draft_tokens"] + 1)
            speculative_s = drawn["draft_s"] + drawn["fixed_s"] + drawn["per_token_s"] * tokens
            margins.append(abs(speculative_s / drawn["length"] / plain_s - 1))
        if min(margins) > 1e-3:
            return {"batches": batches, **drawn}


def draw_tree(rng: Random) -> Inputs:
    """A tree, or several; parents come before their children."""
    return {"parents": [rng.randint(-1, node - 1) for node in range(rng.randint(2, 9))]}


DRAWS = {
    "ex1-verify-greedy": draw_greedy,
    "ex2-keep-probability": draw_keep,
    "ex3-residual": draw_residual,
    "ex4-verify-sampled": draw_sampled,
    "ex5-expected-length": draw_length,
    "ex6-expected-speedup": draw_speedup,
    "ex7-ngram": draw_ngram,
    "ex8-acceptance": draw_acceptance,
    "ex9-batch-that-loses": draw_losing,
    "ex10-tree-mask": draw_tree,
}
