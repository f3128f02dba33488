import json
from pathlib import Path

import pytest

from helpers.bench.arrivals import Poisson
from helpers.bench.bundle import load_bundle
from helpers.bench.plots import latency_throughput, load_curves
from helpers.bench.report_sections import build_report
from helpers.bench.results import Sweep
from helpers.errors import MissingError, UsageError
from helpers.simulate import load
from helpers.simulate.load import simulate_load


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return simulate_load("gb10", "llama-3.1-8b", quantization="fp8", engine="sglang", concurrency=(1, 8, 64))


def test_points_have_the_form_of_measured_ones_with_intervals(sweep: Sweep) -> None:
    for point, streams in zip(sweep.points, (1, 8, 64), strict=True):
        assert (point["concurrency"], point["peak_in_flight"], point["errors"]) == (streams, streams, 0)
        assert (point["origin"], point["engine"], point["precision"], point["valid"]) == (
            "simulated",
            "sglang",
            "fp8",
            True,
        )
        low, high = point["intervals"]["output_tokens_per_s"]
        assert low < point["output_tokens_per_s"] < high
        for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s"):
            low, high = point["intervals"][f"{name}.p50"]
            assert low < point[name]["p50"] < high
    assert json.loads(json.dumps(sweep.points, allow_nan=False)) is not None


def test_more_streams_give_more_tokens_and_longer_waits(sweep: Sweep) -> None:
    rates = [point["output_tokens_per_s"] for point in sweep.points]
    waits = [point["tpot_s"]["p50"] for point in sweep.points]
    assert rates == sorted(rates)
    assert waits == sorted(waits)
    assert sweep.runs[0].records[0].ttft_s == pytest.approx(sweep.points[0]["ttft_s"]["p50"])


def test_only_what_was_not_published_is_marked(sweep: Sweep) -> None:
    assert [point["extrapolates"] for point in sweep.points] == [False, False, True]
    assert "batch 64: the published figures end at 32" in sweep.points[2]["notes"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "h200"}, "H200"),
        ({"quantization": "bf16"}, "in bf16"),
        ({"engine": "nano"}, "of nano"),
        ({"input_tokens": 60_000}, "60,064 tokens"),
        ({"tensor_parallel": 2}, "two Sparks"),
        ({"acceptance": 0.5}, "speculation"),
        ({"eager": True, "concurrency": (2,), "requests": 2}, "eager"),
        ({"model": "course"}, "parameters and more"),
        ({"model": "nemotron-3-super-120b-a12b"}, "recurrent"),
    ],
)
def test_each_way_out_of_what_was_published_is_named(options: dict[str, object], said: str) -> None:
    [run] = simulate_load(**{"concurrency": (1,), "requests": 1, **options}).runs  # type: ignore[arg-type]
    assert any(said in text for text in run.extrapolations)


def test_a_bundle_of_it_loads_as_simulated_and_is_reported_so(sweep: Sweep, tmp_path: Path) -> None:
    sweep.save(tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.origin == "simulated"
    assert [run.point() for run in bundle.runs] == sweep.points
    report = build_report([(tmp_path / "bundle", bundle)])
    [table] = [section.table for section in report.sections if section.title == "Every point"]
    assert table is not None
    assert {row[-1] for row in table.rows} == {"simulated"}
    assert "(simulated)" in table.rows[0][0]
    assert "Simulated 20" in report.lead


def test_figures_draw_intervals_and_mark_extrapolation(sweep: Sweep) -> None:
    curve = load_curves({"sglang fp8 (simulated)": sweep.points}).data[0]
    assert curve.line.dash == "dash"
    low, high = sweep.points[0]["intervals"]["output_tokens_per_s"]
    assert curve.y[0] + curve.error_y.array[0] == pytest.approx(high)
    assert curve.y[0] - curve.error_y.arrayminus[0] == pytest.approx(low)
    assert [symbol.endswith("-open-dot") for symbol in curve.marker.symbol] == [False, False, True]
    waits = latency_throughput({"one": sweep.points})
    assert waits.data[0].y[-1] + waits.data[0].error_y.array[-1] < waits.layout.yaxis.range[1]


def test_an_open_loop_queues_when_it_asks_too_much() -> None:
    slow, fast = simulate_load(engine="vllm", arrivals=[Poisson(0.5), Poisson(200.0)], requests=400).runs
    assert slow.metrics.ttft_s is not None
    assert fast.metrics.ttft_s is not None
    assert fast.metrics.ttft_s.p90 > 5 * slow.metrics.ttft_s.p90
    assert fast.concurrency is None


def test_two_sparks_are_faster_than_one_and_slower_than_twice(sweep: Sweep) -> None:
    options = {"quantization": "nvfp4", "concurrency": (1,)}
    one, two = (simulate_load("gb10", "llama-3.3-70b", tensor_parallel=count, **options) for count in (1, 2))  # type: ignore[arg-type]
    gain = two.points[0]["output_tokens_per_s"] / one.points[0]["output_tokens_per_s"]
    assert 1.2 < gain < 2


def test_a_large_run_has_figures_and_no_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [kept] = simulate_load(concurrency=(4,), requests=40).runs
    monkeypatch.setattr(load, "MOST_KEPT_TOKENS", 100)
    streamed = simulate_load(concurrency=(4,), requests=40)
    [run] = streamed.runs
    assert (run.records, run.point()["requests"], run.valid) == ([], 40, True)
    assert run.metrics.output_tokens_per_s == pytest.approx(kept.metrics.output_tokens_per_s)
    streamed.save(tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").runs[0].point() == run.point()


def test_the_default_quantization_is_one_that_fits() -> None:
    assert simulate_load("gb10", "llama-3.1-70b", concurrency=(1,), requests=1).points[0]["precision"] == "fp8"
    assert simulate_load("gb10", "gpt-oss-20b", engine="llama.cpp", concurrency=(1,)).points[0]["precision"] == "mxfp4"


def test_what_does_not_fit_is_refused_with_the_missing_size() -> None:
    with pytest.raises(MissingError, match=r"llama-3.1-70b in bf16 is 22\.\d GiB larger than the memory of DGX Spark"):
        simulate_load("gb10", "llama-3.1-70b", quantization="bf16")
    with pytest.raises(
        MissingError, match=r"130,000 tokens of llama-3.1-70b take .* more than the memory that is left"
    ):
        simulate_load("h100", "llama-3.1-70b", quantization="fp8", input_tokens=129_000, output_tokens=1000)
    assert simulate_load("gb10", "llama-3.1-70b", quantization="bf16", tensor_parallel=2, concurrency=(1,), requests=1)


def test_a_full_cache_makes_requests_wait_instead_of_failing() -> None:
    [run] = simulate_load(
        "h100", "llama-3.1-70b", quantization="fp8", concurrency=(16,), input_tokens=3000, output_tokens=40
    ).runs
    assert run.metrics.errors == 0
    assert run.metrics.ttft_s is not None
    assert run.metrics.ttft_s.p99 > 5 * run.metrics.ttft_s.p50 or run.metrics.ttft_s.p50 > 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "b200"}, "unknown device 'b200'"),
        ({"model": "llama-9"}, "unknown model 'llama-9'"),
        ({"engine": "exllama"}, "no engine 'exllama'"),
        ({"quantization": "int3"}, "unknown quantization 'int3'"),
        ({"model": "qwen3-8b", "input_tokens": 40_000, "output_tokens": 1000}, "exceed the context of 40,960 by 40"),
        ({"max_model_len": 100}, "exceed the context of 100"),
        ({"max_model_len": 10**6}, "max_model_len cannot be"),
        ({"input_tokens": 0}, "input_tokens must be"),
        ({"output_tokens": ()}, "output_tokens must be"),
        ({"requests": 0}, "requests cannot be 0"),
        ({"concurrency": (0,)}, "concurrency must be"),
        ({"acceptance": 2.4}, "acceptance cannot be 2.4"),
        ({"acceptance": 0.5, "draft_tokens": 0}, "draft_tokens cannot be 0"),
        ({"shared_tokens": 128}, "shared_tokens cannot be 128"),
        ({"tensor_parallel": 0}, "tensor_parallel cannot be 0"),
        ({"tensor_parallel": 3}, "cannot be shared by 3"),
        ({"device": "cpu", "tensor_parallel": 2}, "this CPU is one device"),
    ],
)
def test_wrong_use_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        simulate_load(**options)  # type: ignore[arg-type]
