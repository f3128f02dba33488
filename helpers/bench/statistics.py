"""Intervals by the bootstrap: how sure a figure, a difference or a ratio is, given the repeats behind it.

Percentile bootstrap with the small-sample correction of Hesterberg, "What Teachers Should Know About the Bootstrap"
(The American Statistician 69, 2015, section 5.3, expanded percentile interval). Repeats are the sampling unit:
requests of one run share its conditions, so an interval over requests says nothing about another run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.errors import UsageError

Floats = NDArray[np.float64]
Statistic = Callable[..., Any]

FEWEST_SAMPLES = 3
"""Below this a resample says nothing."""

ENOUGH_SAMPLES = 5
"""Below this the interval cannot reach its stated coverage: it never leaves the range of the samples, and the true
mean of n symmetric samples lies outside that range with probability 2 / 2**n."""

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval and the number of samples (repeats) behind it."""

    estimate: float
    low: float
    high: float
    samples: int
    confidence: float = 0.95

    @property
    def caveat(self) -> str:
        """Why the interval is weaker than its confidence says; empty if it is not."""
        if self.samples >= ENOUGH_SAMPLES:
            return ""
        return f"only {self.samples} repeats: the interval is too narrow"

    def contains(self, value: float) -> bool:
        """True if the value lies inside: for a ratio, `contains(1)` means no difference was shown."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Spread:
    """How far repeats lie apart: `relative` is (maximum - minimum) / median."""

    minimum: float
    median: float
    maximum: float
    relative: float


def bootstrap(
    values: Sequence[float],
    statistic: Statistic = np.mean,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Confidence interval of a statistic of the values.

    Args:
        values: independent samples, usually one figure a repeat.
        statistic: takes an array and `axis`, like `np.mean` or `np.median`.
        confidence: between 0 and 1.
        seed: same seed, same interval.

    Raises:
        UsageError: fewer than three values.
    """
    sample = _checked(values)
    rng = np.random.default_rng(seed)
    resampled = statistic(sample[rng.integers(0, sample.size, (RESAMPLES, sample.size))], axis=1)
    low, high = np.quantile(resampled, _expanded_tails(sample.size, confidence))
    return Interval(float(statistic(sample, axis=0)), float(low), float(high), sample.size, confidence)


def ratio(
    baseline: Sequence[float], candidate: Sequence[float], *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Candidate / baseline from interleaved repeats: the geometric mean of the pairs' ratios.

    Pairing removes what both had in common (the machine's slow minutes); logarithms make 2x and 0.5x weigh alike.

    Raises:
        UsageError: not the same number of both, fewer than three pairs, or a figure that is not above zero.
    """
    pairs = _paired(baseline, candidate)
    if (pairs <= 0).any():
        raise UsageError("a ratio needs figures above zero", "a repeat measured nothing", "")
    logs = bootstrap(list(np.log(pairs[1] / pairs[0])), confidence=confidence, seed=seed)
    low, estimate, high = (float(np.exp(value)) for value in (logs.low, logs.estimate, logs.high))
    return Interval(estimate, low, high, logs.samples, confidence)


def unpaired_ratio(
    before: Sequence[float], after: Sequence[float], *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """After / before from repeats that were not interleaved: the ratio of their geometric means.

    Both sides are resampled independently; `samples` is the smaller number of repeats. What the machine did between
    the two measurements is in the ratio, whatever the interval says.

    Raises:
        UsageError: fewer than three values on a side, or one that is not above zero.
    """
    sides = [_checked(before), _checked(after)]
    if any((side <= 0).any() for side in sides):
        raise UsageError("a ratio needs figures above zero", "a repeat measured nothing", "")
    rng = np.random.default_rng(seed)
    old, new = (np.log(side)[rng.integers(0, side.size, (RESAMPLES, side.size))].mean(axis=1) for side in sides)
    samples = min(side.size for side in sides)
    low, high = np.exp(np.quantile(new - old, _expanded_tails(samples, confidence)))
    estimate = float(np.exp(np.log(sides[1]).mean() - np.log(sides[0]).mean()))
    return Interval(estimate, float(low), float(high), samples, confidence)


def difference(
    baseline: Sequence[float], candidate: Sequence[float], *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Candidate - baseline from interleaved repeats: the mean of the pairs' differences, in the figures' unit.

    Raises:
        UsageError: not the same number of both, or fewer than three pairs.
    """
    pairs = _paired(baseline, candidate)
    return bootstrap(list(pairs[1] - pairs[0]), confidence=confidence, seed=seed)


def spread(values: Sequence[float]) -> Spread:
    """Range of the repeats against their median.

    Raises:
        UsageError: no values.
    """
    if not values:
        raise UsageError("a spread needs at least one value", "no repeat succeeded", "")
    low, median, high = (float(function(values)) for function in (np.min, np.median, np.max))
    return Spread(low, median, high, (high - low) / median if median else 0.0)


def _checked(values: Sequence[float]) -> Floats:
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < FEWEST_SAMPLES:
        raise UsageError(
            f"an interval needs at least {FEWEST_SAMPLES} repeats, there are {sample.size}",
            "the run was made with too few repeats",
            f"measure again with repeats={ENOUGH_SAMPLES}",
        )
    return sample


def _paired(baseline: Sequence[float], candidate: Sequence[float]) -> Floats:
    if len(baseline) != len(candidate):
        raise UsageError(
            f"paired repeats differ in number: {len(baseline)} and {len(candidate)}",
            "a repeat of one side failed",
            "leave out the partner of each failed repeat",
        )
    return np.array([_checked(baseline), _checked(candidate)])


def _expanded_tails(samples: int, confidence: float) -> tuple[float, float]:
    """The two quantiles of the bootstrap distribution that give the wanted coverage at this sample size.

    Hesterberg 2015: tail' = Phi(-sqrt(n / (n - 1)) * t(tail, n - 1)). The t quantile is Abramowitz and Stegun
    26.7.5, within 1 % at two degrees of freedom and 0.02 % at four.
    """
    normal, freedom = NormalDist(), samples - 1
    z = normal.inv_cdf((1 + confidence) / 2)
    t = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4)
    )
    tail = normal.cdf(-((samples / freedom) ** 0.5) * t)
    return tail, 1 - tail
