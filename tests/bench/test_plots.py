import itertools
import json
from collections.abc import Callable

import plotly.graph_objects as go
import pytest

from helpers.bench import plots, plots_cause
from helpers.bench.cause import fit_step_time
from helpers.bench.knee import knee_index
from helpers.bench.statistics import Interval
from helpers.bench.theme import END_LABEL, LINE_HEIGHT_PX, EndLabel, add_end_labels, new_figure
from tests.bench.samples import make_run
from tests.bench.test_cause import sweep

POINTS = [{**make_run(concurrency=load).point(), "input_tokens": 64 * load} for load in (1, 2, 8)]
SERIES = {"llama.cpp f32": POINTS, "llama.cpp q8_0": POINTS}
FIGURES: dict[str, Callable[[], go.Figure]] = {
    "load": lambda: plots.load_curves(SERIES),
    "latency": lambda: plots.latency_throughput(SERIES),
    "distribution": lambda: plots.distributions({"a": [0.1, 0.2], "b": [0.3]}, "TTFT"),
    "timeline": lambda: plots.timeline(make_run(concurrency=4).records),
    "length": lambda: plots.length_sweep(SERIES),
    "roofline": lambda: plots_cause.roofline(
        [plots_cause.RooflinePoint("decode", 0.5, 5e9)], bandwidth_bytes_per_s=30e9, flops_per_s=200e9, machine="CPU"
    ),
    "shares": lambda: plots_cause.step_shares(fit_step_time(sweep())),
    "comparison": lambda: plots_cause.comparison({"q8_0": Interval(1.4, 1.3, 1.5, 5)}, "f32", "Output tokens/s"),
    "acceptance": lambda: plots_cause.acceptance({"lists": (3.0, 0.8)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_title_names_its_axes_and_is_json(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.layout.title.text
    assert figure.layout.paper_bgcolor is None  # the template's transparent ground
    layout = json.loads(figure.to_json())["layout"]
    named = [axis for axis in layout if axis.startswith(("xaxis", "yaxis")) and "title" in layout[axis]]
    categories = name in ("shares", "comparison", "acceptance")
    assert len(named) >= (1 if categories else 2)


@pytest.mark.parametrize("name", ["load", "latency", "distribution", "timeline", "length"])
def test_nothing_measured_gives_an_empty_figure_not_an_error(name: str) -> None:
    empty = {
        "load": lambda: plots.load_curves({}),
        "latency": lambda: plots.latency_throughput({"a": []}),
        "distribution": lambda: plots.distributions({"a": []}, "TTFT"),
        "timeline": lambda: plots.timeline([]),
        "length": lambda: plots.length_sweep({"a": []}),
    }
    assert isinstance(empty[name](), go.Figure)


def test_load_curves_show_rate_ttft_and_knee_of_each_series() -> None:
    traces = plots.load_curves({"a": POINTS}).data
    assert [trace.yaxis for trace in traces] == ["y", "y2", "y2", "y"]
    assert list(traces[1].y) == pytest.approx([point["ttft_s"]["p50"] * 1000 for point in POINTS])
    assert list(traces[2].y) == pytest.approx([point["ttft_s"]["p90"] * 1000 for point in POINTS])


def test_points_without_figures_are_left_out() -> None:
    blind = {**POINTS[0], "output_tokens_per_s": None, "ttft_s": None, "tpot_s": None}
    assert len(plots.load_curves({"a": [blind, *POINTS[1:]]}).data[0].x) == 2


def test_invalid_points_are_hollow() -> None:
    figure = plots.load_curves({"a": [{**POINTS[0], "valid": False}, *POINTS[1:]]})
    assert list(figure.data[0].marker.symbol) == ["circle-open", "circle", "circle"]


def test_an_ecdf_reaches_one_at_its_largest_sample() -> None:
    [trace] = plots.distributions({"a": [0.3, 0.1, 0.2]}, "TTFT").data
    assert list(trace.x) == pytest.approx([100, 200, 300])
    assert list(trace.y) == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_timeline_shows_waiting_decoding_and_failures() -> None:
    records = make_run(concurrency=4, error="HTTP 500: broken").records
    bars = {trace.name: trace for trace in plots.timeline(records).data if trace.type == "bar"}
    assert set(bars) == {"waiting for the first token", "decoding", "failed"}
    assert len(bars["failed"].x) == 1
    assert bars["waiting for the first token"].x[0] == pytest.approx(0.1 * 1.02)  # the second request of the rule


def test_the_knee_is_the_load_of_greatest_power() -> None:
    assert knee_index([(34.0, 1.0), (60.0, 1.1), (70.0, 2.0), (72.0, 4.0)]) == 1
    assert knee_index([(10.0, 1.0), (20.0, 2.0)]) == 0
    assert knee_index([(None, 1.0), (10.0, None)]) is None


def test_an_invalid_point_is_never_the_knee() -> None:
    points = [{**POINTS[0], "valid": False}, *POINTS[1:]]
    ring = plots.load_curves({"a": points}).data[-1]
    assert ring.marker.symbol == "circle-open"
    assert ring.x[0] != points[0]["concurrency"]


def test_labels_that_would_overlap_move_apart() -> None:
    figure = new_figure("t")
    labels = [EndLabel(1, 50 + 0.1 * index, f"series {index}", "#000") for index in range(4)]
    add_end_labels(figure, labels, span=(0, 100), plot_height_px=300)
    heights = sorted(300 * note.y / 100 + note.yshift for note in figure.layout.annotations)
    assert all(note.name == END_LABEL for note in figure.layout.annotations)
    assert all(above - below > LINE_HEIGHT_PX - 1e-6 for below, above in itertools.pairwise(heights))
    assert sum(heights) / 4 == pytest.approx(300 * 50.15 / 100)


def test_step_shares_add_up_to_the_fitted_time() -> None:
    fit = fit_step_time(sweep())
    bars = [trace for trace in plots_cause.step_shares(fit).data if trace.type == "bar"]
    assert [trace.name for trace in bars] == ["fixed cost", "bytes / bandwidth", "FLOPs / rate"]
    assert sum(trace.x[0] for trace in bars) == pytest.approx(fit.shares[0].fitted_s * 1000)
