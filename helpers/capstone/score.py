"""Points, 0 to 100: goodput under the objective, cost, and the honesty of the prediction.

    score = goodput points x min(1, goodput / target)
          + cost points    x min(1, budget / cost of 1,000 good requests) x the same share of the target
          + honesty points x mean over the predicted figures of max(0, 1 - |log2(predicted / measured)|)

and 0 below the quality floor. Cheapness alone earns nothing: cost counts for what was served. A prediction that is
off by a factor of two earns nothing, one that hits earns all.
"""

from collections.abc import Mapping
from dataclasses import asdict
from math import log2
from typing import Any

from helpers.capstone.brief import Brief
from helpers.capstone.cost import Cost
from helpers.capstone.deployment import Prediction


def off_by(predicted: float, measured: float) -> float | None:
    """By which factor a prediction is off, at least 1; None if one of the two is 0 and the other is not."""
    if predicted == measured:
        return 1.0
    if predicted <= 0 or measured <= 0:
        return None
    return max(predicted / measured, measured / predicted)


def beside(prediction: Prediction, measured: Mapping[str, float | None]) -> dict[str, dict[str, Any]]:
    """Each predicted figure beside the measured one: {name: {predicted, measured, off_by}}."""
    rows = {}
    for name, predicted in asdict(prediction).items():
        if predicted is None:
            continue
        value = measured[name]
        rows[name] = {
            "predicted": predicted,
            "measured": value,
            "off_by": off_by(predicted, value) if value is not None else None,
        }
    return rows


def honesty(rows: Mapping[str, Mapping[str, Any]]) -> float:
    """0 to 1 over the predicted figures; 0 without a prediction."""
    if not rows:
        return 0.0
    points = [max(0.0, 1 - log2(row["off_by"])) if row["off_by"] is not None else 0.0 for row in rows.values()]
    return sum(points) / len(points)


def points(brief: Brief, *, goodput_per_s: float, cost: Cost, quality: float | None, honest: float) -> dict[str, float]:
    """Points for goodput, cost and honesty; all 0 below the quality floor.

    Args:
        brief: with its weights.
        goodput_per_s: on the brief's clock.
        quality: share of the fixed tasks; None where they were not asked, which a simulation cannot.
        honest: see `honesty`.
    """
    if quality is not None and quality < brief.quality_floor:
        return dict.fromkeys(brief.weights, 0.0)
    served = min(1.0, goodput_per_s / brief.target_per_s)
    cheap = min(1.0, brief.budget_eur / cost.eur_per_1000_good) if cost.eur_per_1000_good else 0.0
    shares = {"goodput": served, "cost": served * cheap, "honesty": honest}
    return {name: weight * shares[name] for name, weight in brief.weights.items()}
