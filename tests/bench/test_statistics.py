import math

import numpy as np
import pytest

from helpers.bench.statistics import Interval, bootstrap, difference, ratio, spread
from helpers.errors import UsageError


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.random.default_rng(0).normal(size=12))
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_equal_values_give_a_point() -> None:
    interval = bootstrap([2.0] * 5)
    assert (interval.estimate, interval.low, interval.high) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("samples", [8, 20])
def test_the_interval_covers_the_true_mean_about_as_often_as_it_says(samples: int) -> None:
    rng = np.random.default_rng(1)
    inside = sum(bootstrap(list(rng.normal(5.0, 1.0, samples))).contains(5.0) for _ in range(200))
    assert 0.90 <= inside / 200 <= 0.99


def test_any_statistic_with_an_axis_will_do() -> None:
    interval = bootstrap([1.0, 2.0, 3.0, 4.0, 100.0], np.median)
    assert interval.estimate == 3.0
    assert interval.low <= 3.0 <= interval.high


def test_a_ratio_of_pairs_cancels_what_both_had_in_common() -> None:
    machine = np.array([1.0, 1.5, 0.7, 1.2, 2.0])  # slow and fast minutes
    interval = ratio(list(10 * machine), list(20 * machine))
    assert math.isclose(interval.estimate, 2.0)
    assert interval.high - interval.low < 1e-9
    assert not interval.contains(1.0)


def test_a_ratio_and_its_inverse_agree() -> None:
    a, b = [10.0, 11.0, 9.5, 10.4, 10.2], [12.0, 12.5, 13.0, 11.5, 12.2]
    assert math.isclose(ratio(a, b).estimate, 1 / ratio(b, a).estimate)


def test_a_difference_is_in_the_unit_of_the_figures() -> None:
    interval = difference([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])
    assert math.isclose(interval.estimate, 0.5)


def test_few_repeats_carry_a_caveat() -> None:
    assert "3 repeats" in bootstrap([1.0, 2.0, 3.0]).caveat
    assert Interval(1, 0, 2, samples=5).caveat == ""


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        ([1.0, 2.0], [1.0, 2.0], "at least 3"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "differ in number"),
        ([1.0, 0.0, 3.0], [1.0, 2.0, 3.0], "above zero"),
    ],
)
def test_what_cannot_be_compared_is_refused(baseline: list[float], candidate: list[float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ratio(baseline, candidate)


def test_spread_is_the_range_against_the_median() -> None:
    assert spread([9.0, 10.0, 12.0]).relative == 0.3
    with pytest.raises(UsageError):
        spread([])
