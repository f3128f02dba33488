"""Task 12.2: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from random import Random
from typing import Any

Inputs = dict[str, Any]


def draw_kv_bytes(rng: Random) -> Inputs:
    """The shape of a model."""
    kv_heads = rng.choice([1, 2, 4, 8])
    shape = {
        "layers": rng.choice([4, 12, 24, 36, 80]),
        "heads": kv_heads * rng.choice([1, 2, 4, 8]),
        "kv_heads": kv_heads,
        "head_size": rng.choice([32, 64, 80, 128]),
    }
    return {"shape": shape, "bytes_per_value": rng.choice([1, 2, 4])}


def draw_append(rng: Random) -> Inputs:
    """A request with as many blocks as its tokens need, a pool, and tokens that come."""
    block_size = rng.choice([2, 4, 8, 16])
    tokens = rng.choice([0, rng.randint(1, 4) * block_size, rng.randint(1, 50)])
    held = -(-tokens // block_size)
    free = rng.choice([0, 0, 1, 2, 4])
    blocks = rng.sample(range(60), held + free)
    room = (held + free) * block_size - tokens
    return {
        "pool": {"block_size": block_size, "free": blocks[held:]},
        "request": {"tokens": tokens, "blocks": blocks[:held]},
        "count": max(1, rng.choice([room, room, room + 1, rng.randint(1, 3 * block_size)])),
    }


def draw_slots(rng: Random) -> Inputs:
    """Positions anywhere in a request."""
    block_size, held = rng.choice([2, 4, 8, 16]), rng.randint(1, 5)
    start = rng.randrange(held * block_size)
    count = rng.randint(1, min(9, held * block_size - start))
    return {"blocks": rng.sample(range(40), held), "block_size": block_size, "start": start, "count": count}


def draw_schedule(rng: Random) -> Inputs:
    """Requests that decode, perhaps one in the middle of its prompt, and some that wait."""
    chunked = rng.random() < 0.5
    names = iter("abcdefghijkl")
    running = [{"id": next(names), "todo": 1} for _ in range(rng.randint(0, 4))]
    if chunked and running and rng.random() < 0.3:
        running[-1]["todo"] = rng.randint(2, 60)
    waiting = [{"id": next(names), "todo": rng.choice([3, rng.randint(6, 30)])} for _ in range(rng.randint(0, 5))]
    if not chunked and waiting and rng.random() < 0.5:
        waiting[0]["todo"] = 24
    return {
        "running": running,
        "waiting": waiting,
        "budget": rng.choice([2, 8, 12, 16, 24]),
        "seats": max(1, len(running)) + rng.randint(0, 4),
        "chunked": chunked,
    }


def draw_preempt(rng: Random) -> Inputs:
    """Requests with or without a common beginning."""
    blocks = iter(rng.sample(range(100), 40))
    shared = [next(blocks) for _ in range(rng.choice([0, 1, 2, 3]))]
    running = [
        {"id": name, "blocks": shared + [next(blocks) for _ in range(rng.randint(1, 4))]}
        for name in "pqrstu"[: rng.randint(2, 5)]
    ]
    free = rng.randint(0, 3)
    most = free + len({block for one in running for block in one["blocks"]})
    return {"running": running, "free": free, "needed": rng.randint(max(0, free - 1), most)}


def draw_steps(rng: Random) -> Inputs:
    """Answers of mixed lengths."""
    return {"lengths": [rng.choice([1, 2, 3, 5, 9, 14]) for _ in range(rng.randint(2, 9))], "seats": rng.randint(2, 5)}


def draw_waste(rng: Random) -> Inputs:
    """Requests of mixed lengths."""
    longest = rng.choice([128, 256, 512])
    tokens = [rng.randint(1, longest) for _ in range(rng.randint(1, 6))]
    return {"tokens": tokens, "block_size": rng.choice([8, 16, 32, 64]), "max_model_len": longest}


def draw_keys(rng: Random) -> Inputs:
    """A sequence of few different tokens, so that blocks repeat."""
    return {"ids": [rng.randint(1, 4) for _ in range(rng.randint(1, 11))], "block_size": rng.choice([2, 3, 4])}


def draw_reusable(rng: Random) -> Inputs:
    """A prompt, and a cache that knows its beginning, with or without holes."""
    block_size = rng.choice([2, 3])
    ids = [rng.randint(1, 9) for _ in range(rng.choice([block_size * rng.randint(1, 4), rng.randint(3, 13)]))]
    known, parent = [], ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent += "/" + "-".join(map(str, ids[start : start + block_size]))
        known.append(parent)
    if known and rng.random() < 0.5:
        known.pop(rng.randrange(len(known)))
    known.append("/11-12")
    rng.shuffle(known)
    return {"ids": ids, "block_size": block_size, "known": known}


def draw_int8(rng: Random) -> Inputs:
    """Rows of very different sizes; sometimes one of zeros."""
    rows = []
    for _ in range(rng.randint(1, 3)):
        size, columns = rng.choice([0.01, 1.0, 30.0, 400.0]), rng.randint(2, 5)
        zeros = rng.random() < 0.1
        rows.append([0.0 if zeros else round(rng.uniform(-size, size), 6) for _ in range(columns)])
    return {"rows": rows}


def draw_gain(rng: Random) -> Inputs:
    """A step whose largest term is any of the three."""
    step = {
        "fixed_s": rng.choice([0.0, 0.001, 0.01]),
        "weight_bytes": round(rng.uniform(1e7, 2e10)),
        "kv_bytes_per_sequence": rng.choice([0, round(rng.uniform(1e6, 2e9))]),
        "flops_per_token": round(rng.uniform(1e7, 4e10)),
        "bytes_per_s": rng.choice([1e10, 2.73e11, 3.35e12]),
        "flops_per_s": rng.choice([1e11, 6e13, 9e14]),
    }
    return {"step": step, "batch": rng.choice([2, 4, 16, 48, 128])}


def draw_load(rng: Random) -> Inputs:
    """Loads from light to heavy; no share of good requests lies on the bound."""
    ttft_limit_s, tpot_limit_s, share = 0.5, 0.05, rng.choice([0.55, 0.75, 0.88])
    points = []
    for streams in (1, 2, 4, 8, 16)[: rng.randint(2, 5)]:
        bad = rng.choice([0.0, 0.05, 0.2, 0.5])
        requests = []
        for _ in range(rng.randint(3, 14)):
            late, slow = rng.random() < bad, rng.random() < bad
            requests.append({"ttft_s": 0.9 if late else 0.2, "tpot_s": 0.11 if slow else 0.02})
        valid = rng.random() < 0.85
        duration_s = round(rng.uniform(0.5, 4.0), 3)
        points.append({"streams": streams, "duration_s": duration_s, "requests": requests, "valid": valid})
    return {"points": points, "ttft_limit_s": ttft_limit_s, "tpot_limit_s": tpot_limit_s, "share": share}


DRAWS = {
    "ex1-kv-bytes": draw_kv_bytes,
    "ex2-can-append": draw_append,
    "ex3-append": draw_append,
    "ex4-slots": draw_slots,
    "ex5-schedule": draw_schedule,
    "ex6-preempt": draw_preempt,
    "ex7-steps": draw_steps,
    "ex8-kv-waste": draw_waste,
    "ex9-block-keys": draw_keys,
    "ex10-reusable": draw_reusable,
    "ex11-int8": draw_int8,
    "ex12-batch-gain": draw_gain,
    "ex13-best-load": draw_load,
}
