import tracemalloc

import numpy as np
import pytest

from helpers.bench.metrics import Objective, summarize
from helpers.simulate.session import Session
from helpers.simulate.sinks import Figures, Histogram, Records
from helpers.simulate.traffic import Users
from tests.simulate.systems import make_stepper

SESSION = Session(
    input_tokens=(40, 120),
    output_tokens=(20, 35),
    blocks=400,
    block_size=16,
    max_num_seqs=8,
    max_num_batched_tokens=256,
)


def test_streamed_figures_are_those_of_the_records() -> None:
    records, figures = Records(), Figures(Objective(ttft_s=0.11))
    for sink in (records, figures):
        SESSION.play(make_stepper(), Users(8, 300, 0.05, 3), sink)
    exact, streamed = summarize(records.records, Objective(ttft_s=0.11)), figures.metrics()
    for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s"):
        one, other = getattr(exact, name), getattr(streamed, name)
        assert other.mean == pytest.approx(one.mean, rel=1e-9)
        assert (other.p50, other.p90) == (pytest.approx(one.p50, rel=0.02), pytest.approx(one.p90, rel=0.02))
    for name in ("requests", "errors", "peak_in_flight", "output_tokens", "input_tokens", "cached_tokens"):
        assert getattr(streamed, name) == getattr(exact, name)
    for name in ("duration_s", "output_tokens_per_s", "requests_per_s", "goodput_per_s"):
        assert getattr(streamed, name) == pytest.approx(getattr(exact, name))


def test_memory_does_not_grow_with_the_requests() -> None:
    def peak_bytes(requests: int) -> int:
        tracemalloc.start()
        SESSION.play(make_stepper(), Users(8, requests), Figures())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(100)  # what is made once
    # A record takes far more than that; other threads of the process may allocate a little meanwhile.
    assert peak_bytes(6_000) - peak_bytes(600) < 5_400 * 200


def test_a_histogram_is_within_a_bin() -> None:
    values = np.random.default_rng(0).lognormal(-3, 1, 20_000)
    histogram = Histogram()
    for value in values[:5000]:
        histogram.add(float(value))
    histogram.add_many(values[5000:], 1)
    found = histogram.distribution()
    assert found is not None
    assert histogram.count == 20_000
    assert found.mean == pytest.approx(values.mean())
    for share, value in ((50, found.p50), (90, found.p90), (99, found.p99)):
        assert value == pytest.approx(np.percentile(values, share), rel=0.01)
    assert Histogram().distribution() is None
