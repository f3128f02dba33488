"""Load shapes: the times they give."""

import itertools
import statistics

import pytest

from helpers.bench import arrivals
from helpers.bench.arrivals import Burst, ClosedLoop, ConstantRate, Poisson, Ramp, Replay
from helpers.errors import UsageError

SHAPES = [ClosedLoop(4), ConstantRate(2.0), Poisson(2.0), Burst(3, 1.0), Ramp(1.0, 3.0, 10.0), Replay([0.0, 1.5, 1.5])]


def test_constant_rate():
    assert ConstantRate(4).times_s(4, seed=0) == [0.0, 0.25, 0.5, 0.75]


def test_poisson_has_its_rate_and_its_seed():
    times_s = Poisson(10).times_s(4000, seed=1)
    assert times_s == Poisson(10).times_s(4000, seed=1) != Poisson(10).times_s(4000, seed=2)
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert statistics.mean(gaps_s) == pytest.approx(0.1, rel=0.05)
    # An exponential's standard deviation is its mean; a constant rate's would be 0.
    assert statistics.stdev(gaps_s) == pytest.approx(0.1, rel=0.1)


def test_burst():
    assert Burst(2, 5.0).times_s(5, seed=0) == [0.0, 0.0, 5.0, 5.0, 10.0]


@pytest.mark.parametrize("ramp", [Ramp(1, 5, 10), Ramp(5, 1, 10), Ramp(2, 2, 10)])
def test_a_ramp_sends_what_its_rate_says(ramp: Ramp):
    times_s = ramp.times_s(60, seed=0)
    assert times_s == sorted(times_s)
    assert times_s[0] == 0.0
    in_ramp = (ramp.start_per_s + ramp.end_per_s) / 2 * ramp.duration_s
    assert sum(time_s < ramp.duration_s for time_s in times_s) == pytest.approx(in_ramp, abs=1)
    half = (ramp.start_per_s * 3 + ramp.end_per_s) / 4 * ramp.duration_s / 2
    assert sum(time_s < ramp.duration_s / 2 for time_s in times_s) == pytest.approx(half, abs=1)
    assert times_s[-1] - times_s[-2] == pytest.approx(1 / ramp.end_per_s)


def test_replay():
    assert Replay([10.0, 11.0, 14.0], speed=2).times_s(3, seed=0) == [0.0, 0.5, 2.0]
    with pytest.raises(UsageError, match="the trace has 1 requests, not 2"):
        Replay([0.0]).times_s(2, seed=0)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_shapes_survive_json(shape: arrivals.Arrivals):
    assert arrivals.from_json(arrivals.to_json(shape)) == shape
    assert shape.label


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClosedLoop(0),
        lambda: ClosedLoop(1.5),  # type: ignore[arg-type]
        lambda: ConstantRate(0),
        lambda: Poisson(float("inf")),
        lambda: Burst(0, 1),
        lambda: Ramp(1, 0, 1),
        lambda: Replay([]),
        lambda: Replay([2.0, 1.0]),
        lambda: arrivals.from_json({"shape": "Sawtooth"}),
    ],
)
def test_impossible_shapes_are_refused(make):
    with pytest.raises(UsageError):
        make()
