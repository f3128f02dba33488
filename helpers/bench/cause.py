"""Why a step takes as long as it does: time = fixed cost + bytes / bandwidth + FLOPs / rate, fitted to a sweep.

The three costs are found by least squares that may not go below zero (Lawson and Hanson, "Solving least squares
problems", 1974; with three unknowns every set of active terms is simply tried), on relative errors, so that a fast
step counts as much as a slow one. The sum is the model of engines that do not overlap the three; where memory and
arithmetic overlap, the smaller of the two is under-estimated.

A fit is refused where the sweep cannot tell the terms apart: at one context length, bytes and FLOPs of a batch sweep
both grow in a straight line with the batch, so any mix of the three terms explains them equally well.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.bench.roofline import StepCost
from helpers.bench.statistics import Interval
from helpers.errors import CheckFailed

Floats = NDArray[np.float64]
TERMS = ("fixed", "bytes", "FLOPs")

FEWEST_POINTS = 5
"""Three unknowns and two points over, so that there is an error to see."""

LARGEST_CONDITION = 100.0
"""Condition number of the scaled columns above which a 1 % error of measurement may move a term by 100 %
(Belsley, Kuh, Welsch, "Regression diagnostics", 1980: above 30 is harmful, above 100 is not to be used)."""

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class StepPoint:
    """One measured step: its cost by the model's shape, its seconds, and a label for plots ("batch 4, 512 tokens")."""

    label: str
    cost: StepCost
    step_s: float


@dataclass(frozen=True, slots=True)
class Shares:
    """How a point's fitted time splits; the three add up to 1."""

    label: str
    measured_s: float
    fitted_s: float
    fixed: float
    bytes: float
    flops: float

    @property
    def largest(self) -> str:
        """The term to work on: "fixed", "bytes" or "FLOPs"."""
        return max(zip((self.fixed, self.bytes, self.flops), TERMS, strict=True))[1]


@dataclass(frozen=True, slots=True)
class StepFit:
    """The three costs, each with a 95 % interval, and what they make of every point.

    Attributes:
        fixed_s: seconds a step costs before it moves anything.
        seconds_per_byte: inverse of the bandwidth the engine reaches; 0 if the sweep shows no such cost.
        seconds_per_flop: inverse of the rate it reaches; 0 likewise.
        shares: one entry a point, in the points' order.
        worst_relative_error: largest |fitted - measured| / measured.
        condition: of the scaled columns; small is good.
    """

    fixed_s: Interval
    seconds_per_byte: Interval
    seconds_per_flop: Interval
    shares: tuple[Shares, ...]
    worst_relative_error: float
    condition: float

    def predict_s(self, cost: StepCost) -> float:
        """Seconds of another step on the same engine and machine."""
        terms = (self.fixed_s.estimate, self.seconds_per_byte.estimate, self.seconds_per_flop.estimate)
        return sum(term * size for term, size in zip(terms, (1.0, cost.bytes, cost.flops), strict=True))


class NotIdentifiable(CheckFailed):
    """The sweep cannot tell the terms apart; the message says which, and what to measure in addition."""


def fit_step_time(points: Sequence[StepPoint], *, seed: int = 0) -> StepFit:
    """Fit the three costs to a sweep over batch and length.

    Intervals come from resampling the relative residuals (Efron and Tibshirani, "An introduction to the bootstrap",
    1993, section 9.4).

    Raises:
        NotIdentifiable: too few points, or columns so alike that the split between them would be arbitrary.
    """
    if len(points) < FEWEST_POINTS:
        raise NotIdentifiable(
            f"{len(points)} points are too few for three terms",
            f"at least {FEWEST_POINTS} are needed to see an error",
            "measure more batch sizes and context lengths",
        )
    measured = np.array([point.step_s for point in points])
    columns = np.array([(1.0, point.cost.bytes, point.cost.flops) for point in points])
    relative = columns / measured[:, None]
    scale = np.linalg.norm(relative, axis=0)
    design = relative / scale
    condition = float(np.linalg.cond(design))
    if not condition <= LARGEST_CONDITION:
        raise _refusal(design, condition)
    terms = _least_squares(design, np.ones((1, len(points))))[0]
    fitted = design @ terms
    # Dividing by the degrees of freedom left makes up for residuals that are smaller than the errors behind them.
    residuals = (1.0 - fitted) * np.sqrt(len(points) / (len(points) - len(TERMS)))
    rng = np.random.default_rng(seed)
    noisy = fitted + rng.choice(residuals, (RESAMPLES, len(points)))
    low, high = np.quantile(_least_squares(design, noisy), (0.025, 0.975), axis=0)
    fixed_s, seconds_per_byte, seconds_per_flop = (
        Interval(float(terms[i] / scale[i]), float(low[i] / scale[i]), float(high[i] / scale[i]), len(points))
        for i in range(len(TERMS))
    )
    parts = columns * (terms / scale)
    shares = tuple(
        Shares(point.label, point.step_s, float(part.sum()), *(float(value) for value in part / part.sum()))
        for point, part in zip(points, parts, strict=True)
    )
    worst = float(np.abs(1.0 - fitted).max())
    return StepFit(fixed_s, seconds_per_byte, seconds_per_flop, shares, worst, condition)


def _least_squares(design: Floats, targets: Floats) -> Floats:
    """Non-negative least squares for each row of targets: the best of the seven sets of active terms."""
    best = np.zeros((len(targets), design.shape[1]))
    best_error = (targets**2).sum(axis=1)
    for count in range(1, design.shape[1] + 1):
        for active in itertools.combinations(range(design.shape[1]), count):
            part = design[:, active]
            solution = targets @ np.linalg.pinv(part).T
            error = ((targets - solution @ part.T) ** 2).sum(axis=1)
            better = (solution >= 0).all(axis=1) & (error < best_error)
            best_error[better] = error[better]
            best[better] = 0.0
            best[np.ix_(better, active)] = solution[better]
    return best


def _refusal(design: Floats, condition: float) -> NotIdentifiable:
    """Name the terms that trade against each other: those of the direction the data say least about."""
    weakest = np.abs(np.linalg.svd(design)[2][-1])
    alike = [TERMS[index] for index in range(len(TERMS)) if weakest[index] > weakest.max() / 4]
    return NotIdentifiable(
        f"this sweep cannot tell the {', '.join(alike[:-1])} and {alike[-1]} terms apart (condition {condition:.0f})",
        "they grow together over these points, so any split between them would fit",
        "add points at other context lengths and batch sizes, prefills, or another precision of the same model",
    )
