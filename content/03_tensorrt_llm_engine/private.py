"""Task 12.3: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from random import Random
from typing import Any

Inputs = dict[str, Any]


def draw_flops(rng: Random) -> Inputs:
    """The shape of a model with grouped queries, and a prompt."""
    kv_heads, head_size = rng.choice([1, 2, 4, 8]), rng.choice([4, 16, 64, 128])
    heads = kv_heads * rng.choice([2, 4])
    shape = {
        "layers": rng.randint(1, 40),
        "hidden": rng.choice([8, 64, 512, 3072]),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_size": head_size,
        "intermediate": rng.choice([24, 200, 1500, 9000]),
        "vocabulary": rng.choice([50, 1000, 32_000, 150_000]),
    }
    return {"shape": shape, "prompt_tokens": rng.choice([1, 7, 64, 500, 3000])}


def draw_crossing(rng: Random) -> Inputs:
    """A model of any size."""
    return {
        "parameters": rng.randint(1, 9_000) * 1_000_000,
        "layers": rng.randint(2, 80),
        "heads": rng.choice([4, 8, 16, 32, 64]),
        "head_size": rng.choice([32, 64, 80, 128]),
    }


def draw_share(rng: Random) -> Inputs:
    """Possible, impossible, or nothing left to compute in."""
    peak, ttft_s = rng.choice([1e11, 6e13, 5e14]), round(rng.uniform(0.02, 2.0), 3)
    overhead_s = 0.0 if rng.random() < 0.2 else round(ttft_s * rng.choice([rng.uniform(0.05, 0.8), 1.5]), 4)
    share = rng.choice([rng.uniform(0.05, 0.9), rng.uniform(1.2, 3.0)])
    flops = float(round(peak * abs(ttft_s - overhead_s) * share))
    return {"flops": flops, "ttft_s": ttft_s, "overhead_s": overhead_s, "peak_flops_per_s": peak}


def draw_curve(rng: Random) -> Inputs:
    """Points near a curve that bends."""
    fixed_s, token_s, pair_s = rng.uniform(0.01, 0.1), rng.uniform(5e-5, 5e-4), rng.uniform(1e-7, 2e-6)
    prompt_tokens = sorted(rng.sample(range(50, 2000, 10), rng.randint(4, 7)))
    ttft_s = [
        round((fixed_s + token_s * tokens + pair_s * tokens**2) * rng.uniform(0.98, 1.02), 6)
        for tokens in prompt_tokens
    ]
    return {"prompt_tokens": prompt_tokens, "ttft_s": ttft_s}


def draw_trap(rng: Random) -> Inputs:
    """With and without a cache; sometimes no time at all."""
    if rng.random() < 0.15:
        return {"cached": rng.randint(1, 900), "computed": 0, "prompt_ms": 0.0}
    return {
        "cached": rng.choice([0, rng.randint(1, 3000)]),
        "computed": rng.randint(1, 2000),
        "prompt_ms": round(rng.uniform(1.0, 900.0), 1),
    }


def draw_chunks(rng: Random) -> Inputs:
    """Prompts that fit, fill steps exactly, leave a rest, or find no room."""
    budget = rng.choice([8, 32, 100, 512])
    decoding = rng.choice([0, rng.randint(1, budget - 1), rng.randint(1, budget - 1), budget])
    room = max(1, budget - decoding)
    prompt_tokens = rng.choice([room * rng.randint(1, 5), rng.randint(1, 5 * room)])
    return {"prompt_tokens": prompt_tokens, "budget": budget, "decoding": decoding}


def draw_wasted(rng: Random) -> Inputs:
    """Prompts of whole runs and others, with and without decoding."""
    run_tokens = rng.choice([1, 32, 128, 512])
    prompt_tokens = rng.choice([run_tokens * rng.randint(1, 4), rng.randint(1, 900)])
    return {
        "prompt_tokens": prompt_tokens,
        "output_tokens": rng.choice([1, rng.randint(2, 60)]),
        "run_tokens": run_tokens,
    }


def draw_usable(rng: Random) -> Inputs:
    """Built engines of which no two that fit cost the same."""
    wanted = {"model": "c3", "version": "1.32", "tokens": rng.choice([90, 200, 300])}
    sizes = rng.sample([64, 128, 256, 384, 512, 1024], 5)
    built = [
        {
            "name": name,
            "model": rng.choice(["c3", "c3", "c3", "d4"]),
            "version": rng.choice(["1.32", "1.32", "1.32", "1.31"]),
            "kind": "fixed",
            "tokens": tokens,
        }
        for name, tokens in zip(rng.sample("pqrst", rng.randint(1, 5)), sizes, strict=False)
    ]
    if rng.random() < 0.5:
        built[0] |= {"kind": "range", "tokens": rng.choice([80, 768, 2048])}
    rng.shuffle(built)
    return {"built": built, "wanted": wanted}


def draw_break_even(rng: Random) -> Inputs:
    """Builds that pay, never by a whole number of requests to the digit, and builds that do not."""
    while True:
        drawn = {
            "build_s": round(rng.uniform(0.5, 90.0), 2),
            "prompt_tokens": rng.randint(50, 4000),
            "eager_rate": float(rng.randint(200, 3000)),
            "built_rate": float(rng.randint(200, 6000)),
        }
        saved_s = drawn["prompt_tokens"] / drawn["eager_rate"] - drawn["prompt_tokens"] / drawn["built_rate"]
        requests = drawn["build_s"] / saved_s if saved_s else 0.0
        if saved_s < -1e-6 or abs(requests - round(requests)) > 1e-3:
            return drawn


def draw_impossible(rng: Random) -> Inputs:
    """Figures below, at and above the peak of one machine or two."""
    dense = rng.choice([1.25e14, 2.5e14, 5e14])
    figures = []
    for name in rng.sample(["quick", "Nemo", "a-large", "Zeta", "mixture"], rng.randint(2, 4)):
        active, sparks = rng.choice([1e9, 2e9, 4e9, 5e9, 8e9]), rng.choice([1, 1, 2])
        peak = dense * sparks / (2 * active)
        rate = peak * rng.choice([1.0, rng.uniform(0.2, 0.8), rng.uniform(1.2, 1.8), rng.uniform(2.2, 3.0)])
        figures.append({"name": name, "active_parameters": active, "prefill_tokens_per_s": rate, "sparks": sparks})
    return {"figures": figures, "dense_flops_per_s": dense}


def draw_agreement(rng: Random) -> Inputs:
    """Answers of different lengths; some differ, end early, or go on."""
    reference, other = [], []
    for _ in range(rng.randint(1, 5)):
        one = [rng.randint(1, 5) for _ in range(rng.randint(1, 8))]
        two = [token if rng.random() < 0.85 else rng.randint(6, 9) for token in one]
        change = rng.choice(["same", "none", "none", "shorter", "longer"])
        reference.append(one)
        other.append({"same": one, "none": two, "shorter": two[:-1], "longer": [*two, 7]}[change])
    return {"reference": reference, "other": other}


def draw_builds(rng: Random) -> Inputs:
    """Versions on both sides of the last one that builds."""
    release = rng.choice(["0.21.0", "1.0.1", "1.1.0", "1.2.0", "1.3.1", "1.3.0", "1.11.2", "1.12.0", "2.0.0"])
    if rng.random() < 0.5:
        release = f"1.3.0rc{rng.choice([1, 3, 7, 8, 9, 12, 19, 21, 26, 29, 100])}"
    return {"version": release}


DRAWS = {
    "ex1-prefill-flops": draw_flops,
    "ex2-crossing": draw_crossing,
    "ex3-share-of-peak": draw_share,
    "ex4-prefill-curve": draw_curve,
    "ex5-cache-trap": draw_trap,
    "ex6-chunks": draw_chunks,
    "ex7-filled-up": draw_wasted,
    "ex8-usable-engine": draw_usable,
    "ex9-break-even": draw_break_even,
    "ex10-impossible": draw_impossible,
    "ex11-agreement": draw_agreement,
    "ex12-still-builds": draw_builds,
}
