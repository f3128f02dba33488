"""Task 12.1: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from itertools import accumulate
from random import Random
from typing import Any

Inputs = dict[str, Any]
WORDS = ("A batch", " grows", " while", " tokens", " stream", " out", " of", " it", ".")


def times_s(rng: Random, count: int) -> list[float]:
    """Rising time stamps in seconds."""
    first = round(rng.uniform(0.5, 60.0), 2)
    return [round(at, 3) for at in accumulate([first, *(rng.uniform(0.01, 0.4) for _ in range(count - 1))])]


def request(rng: Random) -> Inputs:
    """A streamed answer: with or without a role first, hidden thinking, words, and a word from the server."""
    deltas: list[Inputs] = []
    if rng.random() < 0.7:
        deltas.append({"role": "assistant", **({"content": ""} if rng.random() < 0.5 else {})})
    if rng.random() < 0.4:
        deltas += [{"reasoning_content": rng.choice(WORDS)} for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.8:
        deltas += [{"content": word} for word in rng.sample(WORDS, rng.randint(1, 4))]
    deltas.append({})
    sent_s, *at_s, done_s = times_s(rng, len(deltas) + 2)
    usage = {"prompt_tokens": rng.randint(5, 900), "completion_tokens": rng.randint(len(deltas), 300)}
    return {
        "sent_s": sent_s,
        "events": [{"at_s": at, "delta": delta} for at, delta in zip(at_s, deltas, strict=True)],
        "usage": usage if rng.random() < 0.8 else None,
        "done_s": done_s,
    }


def draw_request(rng: Random) -> Inputs:
    """For ex1 and ex2."""
    return {"request": request(rng)}


def draw_tpot(rng: Random) -> Inputs:
    """Several tokens a chunk, one a chunk, or a single token."""
    if rng.random() < 0.15:
        return {"chunk_s": times_s(rng, 1), "output_tokens": 1}
    chunks = rng.randint(2, 6)
    return {"chunk_s": times_s(rng, chunks), "output_tokens": chunks * rng.randint(1, 4)}


def draw_itl(rng: Random) -> Inputs:
    """Requests of no, one or several chunks."""
    return {
        "requests": [times_s(rng, rng.randint(1, 5)) if rng.random() < 0.9 else [] for _ in range(rng.randint(1, 4))]
    }


def draw_percentile(rng: Random) -> Inputs:
    """Unsorted values."""
    values = [round(rng.uniform(0.01, 9.0), 3) for _ in range(rng.randint(1, 9))]
    return {"values": values, "percent": rng.choice([10, 25, 50, 75, 90, 95, 99, 100])}


def draw_throughput(rng: Random) -> Inputs:
    """Requests that overlap, some of which failed."""
    requests = []
    for _ in range(rng.randint(2, 6)):
        sent_s = round(rng.uniform(1.0, 6.0), 2)
        requests.append(
            {
                "sent_s": sent_s,
                "done_s": round(sent_s + rng.uniform(0.5, 4.0), 2),
                "output_tokens": rng.randint(5, 200),
                "error": rng.choice(["", "", "", "HTTP 500", "dropped"]),
            }
        )
    return {"requests": requests}


def draw_goodput(rng: Random) -> Inputs:
    """Requests well within the bounds or well beyond one of them."""
    ttft_limit_s, tpot_limit_s = round(rng.uniform(0.2, 1.0), 2), round(rng.uniform(0.02, 0.2), 3)
    requests = []
    for _ in range(rng.randint(2, 6)):
        output_tokens = rng.randint(3, 40)
        sent_s = round(rng.uniform(0.0, 5.0), 2)
        first_s = sent_s + ttft_limit_s * (rng.uniform(0.1, 0.8) if rng.random() < 0.7 else rng.uniform(1.3, 3.0))
        share = rng.uniform(0.2, 0.8) if rng.random() < 0.7 else rng.uniform(1.3, 3.0)
        last_s = first_s + tpot_limit_s * share * (output_tokens - 1)
        requests.append(
            {
                "sent_s": sent_s,
                "first_s": round(first_s, 4),
                "last_s": round(last_s, 4),
                "done_s": round(last_s + 0.01, 4),
                "output_tokens": output_tokens,
                "error": "" if rng.random() < 0.8 else "HTTP 503",
            }
        )
    return {"requests": requests, "ttft_limit_s": ttft_limit_s, "tpot_limit_s": tpot_limit_s}


def draw_prefill(rng: Random) -> Inputs:
    """Points near a line."""
    overhead_s, rate = rng.uniform(0.02, 0.3), rng.uniform(500, 9000)
    prompt_tokens = sorted(rng.sample(range(64, 4096), rng.randint(3, 6)))
    ttft_s = [round(overhead_s + tokens / rate * rng.uniform(0.95, 1.05), 5) for tokens in prompt_tokens]
    return {"prompt_tokens": prompt_tokens, "ttft_s": ttft_s}


def draw_knee(rng: Random) -> Inputs:
    """A sweep that flattens, with points that may not be believed."""
    points = []
    rate, e2e_s, trusted = rng.uniform(30, 120), rng.uniform(0.5, 2.0), rng.choice([0.0, 0.8, 0.8, 0.8, 0.8])
    for concurrency in (1, 2, 4, 8, 16, 32)[: rng.randint(2, 6)]:
        points.append(
            {
                "concurrency": concurrency,
                "output_tokens_per_s": round(rate, 2),
                "e2e_p50_s": round(e2e_s, 3),
                "valid": rng.random() < trusted,
            }
        )
        rate *= rng.uniform(1.0, 1.95)
        e2e_s *= rng.uniform(1.02, 1.8)
    rng.shuffle(points)
    return {"points": points}


def draw_ratio(rng: Random) -> Inputs:
    """Pairs measured together on a machine whose speed wanders."""
    pairs, gain = rng.randint(3, 6), rng.choice([0.8, 1.0, 1.02, 1.3, 1.9])
    baseline = [round(rng.uniform(20, 100), 2) for _ in range(pairs)]
    return {
        "baseline": baseline,
        "candidate": [round(value * gain * rng.uniform(0.9, 1.1), 2) for value in baseline],
        "resamples": [[rng.randrange(pairs) for _ in range(pairs)] for _ in range(rng.randint(9, 25))],
    }


def draw_ceiling(rng: Random) -> Inputs:
    """A machine, a model, and sequences with caches of their own."""
    return {
        "bandwidth_gb_per_s": float(rng.choice([60, 100, 273, 819, 3350])),
        "weights_gb": round(rng.uniform(0.5, 40.0), 2),
        "kv_gb_per_sequence": round(rng.choice([0.0, rng.uniform(0.01, 2.0)]), 3),
        "batch": rng.choice([1, 2, 3, 8, 24, 64]),
    }


def draw_plausible(rng: Random) -> Inputs:
    """Figures well below or well above what the machine can do."""
    machine = {
        "bytes_per_s": rng.choice([100e9, 273e9, 3350e9]),
        "flops_per_s": rng.choice([60e12, 250e12, 900e12]),
        "count": rng.choice([1, 1, 2, 4]),
    }
    active, bytes_per_weight = rng.choice([1e9, 3e9, 8e9, 22e9, 70e9]), rng.choice([0.5625, 1.0, 2.0])
    shares = [rng.uniform(0.1, 0.8) if rng.random() < 0.6 else rng.uniform(1.3, 2.5) for _ in range(2)]
    prefill = shares[0] * machine["count"] * machine["flops_per_s"] / (2 * active)
    decode = shares[1] * machine["count"] * machine["bytes_per_s"] / (active * bytes_per_weight)
    figure = {
        "active_parameters": active,
        "bytes_per_weight": bytes_per_weight,
        "prefill_tokens_per_s": round(prefill, 2),
        "decode_tokens_per_s": round(decode, 3),
    }
    return {"figure": figure, "machine": machine}


def draw_choice(rng: Random) -> Inputs:
    """Engines with rates of two kinds, and a need."""
    rows = [
        {
            "name": name,
            "prefill": round(rng.uniform(500, 9000), 1),
            "decode": round(rng.uniform(10, 120), 1),
            "ttft_p99_s": round(rng.uniform(0.1, 1.5), 3),
            "valid": rng.random() < 0.75,
        }
        for name in rng.sample(["vLLM", "SGLang", "llama.cpp", "Ollama", "nano"], rng.randint(2, 5))
    ]
    limit_s = rng.choice([None, 0.2505, 0.5005, 0.9005])
    return {"rows": rows, "need": {"rate": rng.choice(["prefill", "decode"]), "ttft_limit_s": limit_s}}


DRAWS = {
    "ex1-ttft": draw_request,
    "ex2-output-tokens": draw_request,
    "ex3-tpot": draw_tpot,
    "ex4-itl": draw_itl,
    "ex5-percentile": draw_percentile,
    "ex6-throughput": draw_throughput,
    "ex7-goodput": draw_goodput,
    "ex8-prefill-line": draw_prefill,
    "ex9-knee": draw_knee,
    "ex10-paired-ratio": draw_ratio,
    "ex11-decode-ceiling": draw_ceiling,
    "ex12-plausible": draw_plausible,
    "ex13-choice": draw_choice,
}
