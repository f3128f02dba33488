"""The capstone: what private inputs look like. For instructors only; see helpers/grade/private.py."""

from random import Random
from typing import Any

Inputs = dict[str, Any]


def draw_places(rng: Random) -> Inputs:
    """Services of any size whose need is no whole number to the digit."""
    while True:
        drawn = {
            "rate_per_s": round(rng.choice([rng.uniform(0.01, 0.2), rng.uniform(0.2, 9.0)]), 2),
            "stay_s": round(rng.uniform(0.5, 60.0), 1),
            "headroom": rng.choice([1.0, 1.2, 1.5, 2.0]),
        }
        needed = drawn["rate_per_s"] * drawn["stay_s"] * drawn["headroom"]
        if abs(needed - round(needed)) > 1e-3:
            return drawn


def draw_room(rng: Random) -> Inputs:
    """One replica or several, with room for much, little, or not even the weights."""
    replicas, weights = rng.choice([1, 2, 3, 4]), rng.randint(1, 9) * 1_000_000_000
    each = rng.choice([weights * rng.uniform(1.05, 4.0), weights * rng.uniform(1.05, 4.0), weights * 0.7])
    return {
        "memory_bytes": round(each * replicas),
        "weights_bytes": weights,
        "kv_bytes_per_token": rng.choice([6_144, 49_152, 131_072]),
        "sequences": rng.randint(1, 40),
        "replicas": replicas,
    }


def draw_cost(rng: Random) -> Inputs:
    """Runs with late and failed requests; in some nothing was good."""
    bound_s = round(rng.uniform(0.3, 2.0), 1)
    shares = rng.choice([(0.6, 0.25, 0.15), (0.6, 0.25, 0.15), (0.0, 0.5, 0.5)])
    ttft_s: list[float | None] = []
    for kind in rng.choices(["good", "late", "failed"], shares, k=rng.randint(2, 9)):
        factor = rng.uniform(0.2, 0.9) if kind == "good" else rng.uniform(1.1, 3.0)
        ttft_s.append(None if kind == "failed" else round(bound_s * factor, 3))
    return {
        "eur_per_hour": round(rng.uniform(0.2, 9.0), 2),
        "duration_s": round(rng.uniform(5.0, 90.0), 1),
        "ttft_s": ttft_s,
        "bound_s": bound_s,
    }


def draw_honesty(rng: Random) -> Inputs:
    """Figures that are right, a little off in either direction, or far off."""
    measured = [round(rng.uniform(0.1, 50.0), 3) for _ in range(rng.randint(1, 4))]
    factors = [rng.choice([1.0, rng.uniform(0.55, 1.0), rng.uniform(1.0, 1.8), 5.0, 0.1]) for _ in measured]
    return {
        "predicted": [round(seen * factor, 4) for seen, factor in zip(measured, factors, strict=True)],
        "measured": measured,
    }


def draw_decide(rng: Random) -> Inputs:
    """Options of which some are cheap and poor, some good and late."""
    floor = rng.choice([0.8, 0.9, 0.95])
    prices = rng.sample(range(20, 400), 4)
    options = [
        {
            "name": name,
            "quality": round(rng.choice([floor, rng.uniform(floor, 1.0), rng.uniform(0.3, floor - 0.05)]), 3),
            "slo_met": rng.random() < 0.65,
            "eur_per_1000": price / 100,
        }
        for name, price in zip(
            rng.sample(["plain", "draft", "8 slots", "two replicas"], rng.randint(2, 4)), prices, strict=False
        )
    ]
    return {"options": options, "floor": floor}


DRAWS = {
    "ex1-places": draw_places,
    "ex2-room": draw_room,
    "ex3-cost-of-good": draw_cost,
    "ex4-honesty": draw_honesty,
    "ex5-decide": draw_decide,
}
