import itertools
import json

import pytest

from helpers.bench.plots_timeline import DECODE, PADDING, PREEMPTED, PREFILL, VERIFY, plot_timeline
from tests.bench.traces import make_trace


def bars(figure, kind):
    return next((trace for trace in figure.data if trace.name == kind.name), None)


def test_requests_wait_prefill_and_decode_in_their_rows() -> None:
    figure = plot_timeline(make_trace([(100, 4), (10, 8)], seats=1, budget=64))
    assert list(bars(figure, PREFILL).y) == [1, 2]
    # 100 tokens under a budget of 64 take two steps; the second one's logits yield the first new token.
    assert list(bars(figure, PREFILL).x) == [2, 1]
    assert list(bars(figure, DECODE).x) == [3, 7]
    assert list(bars(figure, DECODE).base) == [2.5, 6.5]
    assert figure.layout.title.text
    assert "2 requests" in figure.layout.title.subtitle.text
    assert figure.layout.title.subtitle.text in figure.layout.meta["alt"]
    assert json.loads(figure.to_json())["layout"]["xaxis"]["title"]


def test_preempted_requests_are_told_from_those_that_wait_for_the_first_time() -> None:
    trace = make_trace([(40, 40)] * 6, blocks=12)
    figure = plot_timeline(trace)
    assert bars(figure, PREEMPTED) is not None
    assert f"{sum(len(step.preempted) for step in trace)} preemptions" in figure.layout.title.subtitle.text


def test_slots_hold_one_request_at_a_time_and_show_where_nobody_works() -> None:
    trace = make_trace([(8, 2), (8, 12), (8, 2), (8, 12)], static=True, seats=2)
    figure = plot_timeline(trace, slots=True)
    assert bars(figure, PADDING) is not None
    places = sorted(
        (row, start, start + length)
        for part in figure.data
        for row, start, length in zip(part.y, part.base, part.x, strict=True)
    )
    assert {row for row, _, _ in places} == {1, 2}
    for (row, _, end), (next_row, start, _) in itertools.pairwise(places):
        assert row != next_row or start >= end


def test_on_a_time_axis_a_step_is_as_wide_as_it_took() -> None:
    trace = make_trace([(60, 3)])
    figure = plot_timeline(trace, seconds=True)
    assert bars(figure, PREFILL).x[0] == pytest.approx(trace[0].forward_s)


def test_verified_proposals_are_marked_and_json_is_read_as_well() -> None:
    steps = [step.to_json() for step in make_trace([(8, 4)])]
    steps[2]["work"][0]["drafted"] = 3
    assert list(bars(plot_timeline(steps), VERIFY).x) == [1]


def test_an_empty_trace_is_an_empty_figure() -> None:
    assert not plot_timeline([]).data
