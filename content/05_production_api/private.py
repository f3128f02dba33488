"""Task 12.5: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from hashlib import sha256
from random import Random
from typing import Any

Inputs = dict[str, Any]
WORDS = ("hello", " x ", '{"id": 7}', "[DONE]", "a b", "tokens: 3", "")


def cut(rng: Random, text: str) -> list[str]:
    """A text in pieces, as reads of a socket return it."""
    places = sorted(rng.sample(range(1, len(text)), min(rng.randint(0, 4), len(text) - 1))) if len(text) > 1 else []
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def draw_event(rng: Random) -> Inputs:
    """One line or several, some of them empty."""
    return {"data": "\n".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4)))}


def draw_split(rng: Random) -> Inputs:
    """Events, heartbeats, an end that may be missing, cut anywhere."""
    text = ""
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.25:
            text += ": alive\n\n"
        else:
            space = " " if rng.random() < 0.8 else ""
            text += "".join(f"data:{space}{rng.choice(WORDS)}\n" for _ in range(rng.choice([1, 1, 2]))) + "\n"
    if rng.random() < 0.4:
        text += "data: bro"
    return {"pieces": cut(rng, text)}


def draw_key(rng: Random) -> Inputs:
    """A key of somebody, of nobody, a digest, another scheme, or no header."""
    keys = {name: f"ck-{rng.randrange(16**8):08x}" for name in rng.sample(["ivo", "lena", "omar", "wei", "zoe"], 3)}
    digests = {name: sha256(key.encode()).hexdigest() for name, key in keys.items()}
    holder = rng.choice(list(keys))
    presented = rng.choice([keys[holder], keys[holder], keys[holder], digests[holder], keys[holder][:-1], "ck-0"])
    scheme = rng.choice(["Bearer", "Bearer", "bearer", "BEARER", "Basic"])
    return {"authorization": None if rng.random() < 0.1 else f"{scheme} {presented}", "digests": digests}


def draw_bucket(rng: Random) -> Inputs:
    """A bucket that never holds just one token."""
    while True:
        capacity, per_s = float(rng.randint(1, 20)), rng.choice([0.2, 0.5, 1.0, 2.0, 10.0])
        bucket = {
            "level": round(rng.choice([rng.uniform(0.0, 1.0), rng.uniform(0.0, capacity)]), 2),
            "at_s": round(rng.uniform(1.0, 99.0), 1),
        }
        now_s = round(
            bucket["at_s"] + rng.choice([0.0, rng.uniform(0.0, 0.4), rng.uniform(0.0, 3.0), rng.uniform(0.0, 300.0)]), 2
        )
        level = bucket["level"] + (now_s - bucket["at_s"]) * per_s
        if abs(level - 1) > 1e-3:
            return {"bucket": bucket, "now_s": now_s, "capacity": capacity, "per_s": per_s}


def draw_admit(rng: Random) -> Inputs:
    """Any state of the queue."""
    places, max_waiting = rng.randint(1, 8), rng.randint(0, 6)
    waiting = rng.choice([0, rng.randint(0, max_waiting), max_waiting])
    running = rng.choice([places, rng.randint(0, places)])
    return {"running": running, "waiting": waiting, "places": places, "max_waiting": max_waiting}


def draw_retry(rng: Random) -> Inputs:
    """A wait that is no whole number of seconds."""
    while True:
        waiting, places = rng.choice([rng.randint(0, 12), rng.randint(0, 900)]), rng.randint(1, 16)
        mean_held_s = round(rng.uniform(0.1, 9.0), 2)
        wait_s = (waiting + 1) * mean_held_s / places
        if abs(wait_s - round(wait_s)) > 1e-3:
            return {"waiting": waiting, "places": places, "mean_held_s": mean_held_s}


def draw_failure(rng: Random) -> Inputs:
    """Any failure that can be."""
    cause = rng.choice(["connect", "lost", "timeout", "status", "status", "status", "status"])
    engines = rng.randint(1, 5)
    failure = {
        "cause": cause,
        "status": rng.choice([400, 404, 422, 429, 429, 500, 503]) if cause == "status" else 0,
        "bytes_sent": rng.randint(1, 9_000) if cause in ("lost", "timeout") and rng.random() < 0.5 else 0,
        "tried": rng.randint(1, engines),
        "engines": engines,
        "client_left": rng.random() < 0.15,
    }
    return {"failure": failure}


def draw_backoff(rng: Random) -> Inputs:
    """Early and late attempts, with or without a wish of the server."""
    retry_after_s = rng.choice([None, None, rng.randint(1, 40)])
    return {"attempt": rng.randint(1, 12), "retry_after_s": retry_after_s, "draw": round(rng.uniform(0.01, 1.0), 3)}


def draw_quantile(rng: Random) -> Inputs:
    """Buckets of which no bound is the answer's edge."""
    while True:
        bounds_s = sorted(rng.sample([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0], rng.randint(2, 5)))
        cumulative, total = [], 0
        for _ in range(len(bounds_s) + 1):
            total += rng.choice([0, rng.randint(1, 40)])
            cumulative.append(total)
        if rng.random() < 0.05:
            cumulative = [0] * len(cumulative)
        share = rng.choice([0.1, 0.5, 0.75, 0.9, 0.95])
        if not cumulative[-1] or min(abs(share * cumulative[-1] - count) for count in cumulative) > 1e-3:
            return {"bounds_s": bounds_s, "cumulative": cumulative, "share": share}


def draw_increase(rng: Random) -> Inputs:
    """A counter of a process that may begin again."""
    samples, value = [], rng.randint(0, 300)
    for _ in range(rng.randint(1, 7)):
        samples.append(value)
        value = (
            rng.randint(0, max(1, value // 2)) if rng.random() < 0.3 else value + rng.choice([0, rng.randint(1, 90)])
        )
    return {"samples": samples}


DRAWS = {
    "ex1-sse-event": draw_event,
    "ex2-split-events": draw_split,
    "ex3-key-holder": draw_key,
    "ex4-take-token": draw_bucket,
    "ex5-admit": draw_admit,
    "ex6-retry-after": draw_retry,
    "ex7-after-failure": draw_failure,
    "ex8-backoff": draw_backoff,
    "ex9-quantile": draw_quantile,
    "ex10-increase": draw_increase,
}
