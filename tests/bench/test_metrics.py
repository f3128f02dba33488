import math
from dataclasses import replace

import pytest

from helpers.bench.metrics import (
    DEFINITIONS,
    Distribution,
    Metrics,
    Objective,
    acceptance,
    in_flight,
    peak_in_flight,
    steady_output_tokens_per_s,
    steady_window,
    summarize,
)
from helpers.client.records import RequestRecord, Usage


def answer(
    name: str,
    sent_s: float,
    first_s: float,
    gap_s: float,
    tokens: int,
    prompt_tokens: int = 10,
    scheduled_s: float | None = None,
) -> RequestRecord:
    """One request: first chunk `first_s` after sending, then a chunk every gap, one token a chunk."""
    chunks = [sent_s + first_s + index * gap_s for index in range(tokens)]
    return RequestRecord(
        request_id=name,
        scheduled_s=sent_s if scheduled_s is None else scheduled_s,
        sent_s=sent_s,
        chunk_s=chunks,
        done_s=chunks[-1],
        usage=Usage(prompt_tokens=prompt_tokens, output_tokens=tokens),
        status=200,
        finish_reason="length",
    )


def mean(distribution: Distribution | None) -> float:
    assert distribution is not None
    return distribution.mean


def failure(name: str, sent_s: float, done_s: float) -> RequestRecord:
    return RequestRecord(name, sent_s, sent_s, done_s=done_s, status=500, error="HTTP 500: overloaded")


def test_percentiles_interpolate_linearly_between_samples() -> None:
    distribution = Distribution.of([1.0, 2.0, 3.0, 4.0])
    assert distribution is not None
    assert (distribution.mean, distribution.p50) == (2.5, 2.5)
    assert math.isclose(distribution.p90, 3.7)
    assert math.isclose(distribution.p99, 3.97)


def test_no_samples_give_no_distribution() -> None:
    assert Distribution.of([]) is None


def test_every_figure_of_two_overlapping_requests() -> None:
    records = [answer("a", 0.0, 0.5, 0.1, 11), answer("b", 0.5, 0.7, 0.2, 6, prompt_tokens=30, scheduled_s=0.4)]
    metrics = summarize(records, Objective(ttft_s=0.6))

    assert (metrics.requests, metrics.errors, metrics.peak_in_flight) == (2, 0, 2)
    assert math.isclose(metrics.duration_s, 2.2)  # b: 0.5 + 0.7 + 5 * 0.2
    assert mean(metrics.ttft_s) == pytest.approx(0.6)
    assert mean(metrics.tpot_s) == pytest.approx(0.15)
    assert mean(metrics.itl_s) == pytest.approx((10 * 0.1 + 5 * 0.2) / 15)
    assert mean(metrics.e2e_s) == pytest.approx((1.5 + 1.7) / 2)
    assert mean(metrics.queue_s) == pytest.approx(0.05)
    assert metrics.output_tokens_per_s == pytest.approx(17 / 2.2)
    assert metrics.input_tokens_per_s == pytest.approx(40 / 2.2)
    assert metrics.goodput_per_s == pytest.approx(1 / 2.2)


def test_failed_requests_count_as_errors_and_enter_no_latency() -> None:
    metrics = summarize([answer("a", 0.0, 0.5, 0.1, 11), failure("b", 0.0, 3.0)])
    assert (metrics.requests, metrics.errors) == (2, 1)
    assert mean(metrics.e2e_s) == pytest.approx(1.5)
    assert metrics.duration_s == 3.0  # the failed request was part of the run


def test_a_missing_token_count_makes_the_rate_unknown_not_smaller() -> None:
    blind = answer("b", 0.0, 0.5, 0.1, 11)
    blind.usage = Usage()
    metrics = summarize([answer("a", 0.0, 0.5, 0.1, 11), blind])
    assert metrics.output_tokens_per_s is None
    assert metrics.input_tokens_per_s is None
    assert metrics.steady_output_tokens_per_s is None
    assert metrics.requests_per_s is not None


def test_an_empty_run_has_no_figures_and_no_error() -> None:
    metrics = summarize([])
    assert (metrics.requests, metrics.duration_s, metrics.ttft_s, metrics.output_tokens_per_s) == (0, 0.0, None, None)


def test_a_response_that_ends_when_the_next_is_sent_does_not_overlap_it() -> None:
    records = [answer("a", 0.0, 0.5, 0.5, 2), answer("b", 1.0, 0.5, 0.5, 2)]
    assert peak_in_flight(records) == 1
    assert in_flight(records) == [(0.0, 1), (1.0, 0), (1.0, 1), (2.0, 0)]


def test_steady_window_leaves_out_ramp_up_and_drain() -> None:
    records = [
        answer("a", 0.0, 1.0, 1.0, 4),  # ends at 4
        answer("b", 1.0, 1.0, 1.0, 6),  # ends at 7
        answer("c", 4.0, 1.0, 1.0, 6),  # ends at 10: alone from 7 on
    ]
    assert steady_window(records) == (1.0, 7.0)
    rate = steady_output_tokens_per_s(records)
    # a: chunks at 1 2 3 4, b: 2..6 (its last at 7 is the end), c: 5 6.
    assert rate is not None
    assert math.isclose(rate, (4 + 5 + 2) / 6)


def test_acceptance_length_is_one_plus_accepted_over_passes() -> None:
    record = answer("a", 0.0, 0.1, 0.1, 41)
    # 40 tokens after the first, from 10 passes that each kept 3 of 4 draft tokens and added one.
    record.usage = Usage(10, 41, draft_tokens=40, accepted_tokens=30)
    assert acceptance([record]) == (4.0, 0.75)
    assert acceptance([answer("b", 0.0, 0.1, 0.1, 5)]) == (None, None)


def test_goodput_needs_every_bound_and_a_success() -> None:
    good = answer("a", 0.0, 0.5, 0.1, 11)
    assert Objective(0.5, 0.11, 1.6).met_by(good)
    assert not Objective(tpot_s=0.09).met_by(good)
    assert not Objective().met_by(failure("b", 0.0, 0.1))
    assert not Objective(tpot_s=1.0).met_by(answer("one token", 0.0, 0.1, 0.1, 1))


def test_coalesced_share_is_counted_against_all_gaps() -> None:
    record = answer("a", 0.0, 0.5, 0.1, 11)
    record.coalesced_chunks = 5
    assert summarize([record]).coalesced_share == 0.5


def test_metrics_survive_json_and_refuse_unknown_figures() -> None:
    metrics = summarize([answer("a", 0.0, 0.5, 0.1, 11)])
    assert Metrics.from_json(metrics.to_json()) == metrics
    with pytest.raises(TypeError):
        Metrics.from_json({**metrics.to_json(), "speed": 1})


def test_every_distribution_and_rate_is_defined_in_words() -> None:
    figures = {name for name in Metrics.__dataclass_fields__ if name.endswith("_s")}
    assert figures <= set(DEFINITIONS)


def test_metrics_do_not_change_the_records() -> None:
    record = answer("a", 0.0, 0.5, 0.1, 11)
    before = replace(record, chunk_s=list(record.chunk_s))
    summarize([record])
    assert record == before
