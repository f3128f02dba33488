"""measure, sweep, compare against the mock server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.bench.arrivals import ClosedLoop, ConstantRate
from helpers.bench.bundle import load_bundle
from helpers.bench.drive import drive
from helpers.bench.measuring import Interrupted, Progress
from helpers.bench.results import Comparison, Sweep, figure, past_the_knee
from helpers.bench.run import Run
from helpers.bench.runner import compare, measure, sweep
from helpers.bench.workloads import given_prompts, unique_prompts
from helpers.client.mock import MockServer
from helpers.errors import EngineFailed, UsageError

QUICK = {"ttft_s": 0.01, "gap_s": 0.001, "output_tokens": 64}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(**QUICK) as server:
        yield server


def test_a_run_holds_what_was_asked_for(mock: MockServer):
    mock.reset()
    run = measure(mock, unique_prompts(20, 8, seed=1), ClosedLoop(4), 12, repeats=2, warmup=3)
    truth = mock.truth()
    assert [len(repeat) for repeat in run.repeats] == [12, 12]
    # One question before: does it answer, and at a fixed length? One more counts the chat template.
    assert len(truth.requests) == 2 + 3 + 24
    assert truth.peak_in_flight == run.metrics.peak_in_flight == 4
    assert run.valid
    assert {record.usage.prompt_tokens for record in run.records} == {20}
    assert {record.usage.output_tokens for record in run.records} == {8}
    assert run.provenance["seed"] == 0
    point = run.point()
    assert (point["concurrency"], point["requests"], point["errors"], point["origin"]) == (4, 24, 0, "measured")
    assert set(point["ttft_s"]) == {"mean", "p50", "p90", "p99"}
    assert point["output_tokens_per_s"] == pytest.approx(
        sum(each.output_tokens for each in run.repeat_metrics) / sum(each.duration_s for each in run.repeat_metrics)
    )


def test_a_bare_url_is_enough(mock: MockServer):
    run = measure(mock.url.removesuffix("/v1"), unique_prompts(20, 4), ClosedLoop(1), 2)
    assert (run.target.model, run.metrics.errors) == ("mock", 0)


def test_no_prompt_is_sent_twice_even_by_later_runs(monkeypatch: pytest.MonkeyPatch, mock: MockServer):
    sent: list[str] = []

    def spy(*arguments, **options):
        sent.extend(prompt.messages[0]["content"] for prompt in arguments[2])
        drive(*arguments, **options)

    monkeypatch.setattr("helpers.bench.measuring.drive", spy)
    for _ in range(2):
        measure(mock, unique_prompts(20, 1, seed=77), ClosedLoop(2), 4, warmup=2, repeats=2)
    assert len(sent) == len(set(sent)) == 2 * (2 + 2 * 4)


def test_an_open_loop(mock: MockServer):
    run = measure(mock, unique_prompts(20, 4), ConstantRate(50), 10, warmup=0)
    assert run.concurrency is None
    assert run.point()["rate_per_s"] == 50
    assert [record.scheduled_s for record in sorted(run.records, key=lambda r: r.scheduled_s)] == pytest.approx(
        [number / 50 for number in range(10)]
    )


def test_errors_are_in_the_records_and_mark_the_run():
    with MockServer(**QUICK, faults={"error_rate": 0.5, "error_status": 503}) as mock:
        run = measure(mock, unique_prompts(20, 4), ClosedLoop(2), 20)
    assert 0 < run.metrics.errors < 20
    assert not run.valid
    assert "HTTP 503" in " ".join(run.point()["notes"])


def test_a_server_that_dies_while_it_is_measured_costs_no_record():
    with MockServer(**QUICK) as mock:

        def kill(progress: Progress) -> None:
            if progress.phase != "warm-up" and progress.done >= 2:
                mock.stop()

        run = measure(mock, unique_prompts(20, 8), ClosedLoop(2), 200, progress=kill)
    assert len(run.records) == 200
    assert any(record.ok for record in run.records)
    errors = {record.error.split(" by ")[0] for record in run.records if not record.ok}
    assert errors
    assert errors <= {"connection refused", "connection closed", "stream cut before [DONE]: connection closed"}


@pytest.mark.parametrize("options", [{"requests": 0}, {"requests": 4, "repeats": 0}, {"requests": 4, "warmup": -1}])
def test_impossible_plans_are_refused(mock: MockServer, options: dict[str, int]):
    with pytest.raises(UsageError):
        measure(mock, unique_prompts(20, 4), ClosedLoop(1), **options)


def test_nobody_there():
    with MockServer() as mock:
        pass
    with pytest.raises(EngineFailed):
        measure(mock, unique_prompts(20, 4), ClosedLoop(1), 1)
    with pytest.raises(EngineFailed):
        measure(mock.url, unique_prompts(20, 4), ClosedLoop(1), 1)


def test_a_server_of_another_kind():
    with MockServer(faults={"foreign": True}) as mock, pytest.raises(EngineFailed, match="no OpenAI-compatible server"):
        measure(mock.url, unique_prompts(20, 4), ClosedLoop(1), 1)


def test_too_few_requests_for_the_streams_are_marked(mock: MockServer):
    run = measure(mock, unique_prompts(20, 4), ClosedLoop(8), 4)
    assert run.metrics.peak_in_flight == 4
    assert not run.valid


def test_records_are_on_disk_while_the_run_goes_on(mock: MockServer, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "bundle"

    def look(progress: Progress) -> None:
        if progress.phase != "warm-up":
            lines = (folder / "records.jsonl").read_text().splitlines()
            seen.append((progress.done, len([json.loads(line) for line in lines])))

    run = measure(mock, unique_prompts(20, 64), ClosedLoop(2), 30, out=folder, progress=look)
    assert any(0 < done < 30 for done, _ in seen)
    assert all(written >= done for done, written in seen)
    loaded = Run.load(folder)
    assert loaded.point() == run.point()
    assert loaded.records == run.records


def test_ctrl_c_keeps_what_had_ended(mock: MockServer, tmp_path: Path):
    def stop(progress: Progress) -> None:
        if progress.phase == "repeat 2 of 3" and progress.done:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="requests had ended and are kept in") as caught:
        measure(mock, unique_prompts(20, 64), ClosedLoop(2), 8, repeats=3, out=tmp_path / "b", progress=stop)
    (run,) = caught.value.runs
    assert len(run.repeats[0]) == 8
    assert 0 < len(run.repeats[1]) <= 8
    assert not run.complete
    assert not run.valid
    loaded = Run.load(tmp_path / "b")
    assert loaded.records == run.records
    assert not loaded.complete


def test_a_sweep_has_a_point_per_load_and_a_knee(tmp_path: Path):
    # Answers so long that what else runs here does not show beside them.
    with MockServer(ttft_s=0.1, gap_s=0.01, output_tokens=8, slots=4) as mock:
        result = sweep(mock, unique_prompts(20, 8), [1, 4, 16], 16, out=tmp_path / "s")
    assert [run.concurrency for run in result.runs] == [1, 4, 16]
    assert result.knee is not None
    assert result.knee.concurrency == 4
    assert [run.point() for run in Sweep.load(tmp_path / "s").runs] == [run.point() for run in result.runs]


def test_a_sweep_without_loads_stops_past_the_knee():
    with MockServer(ttft_s=0.02, gap_s=0.0, output_tokens=1, slots=2) as mock:
        result = sweep(mock, unique_prompts(20, 1))
    streams = [run.concurrency for run in result.runs]
    assert streams == [1, 2, 4, 8, 16, 32][: len(streams)]
    assert past_the_knee(result.runs)
    assert streams[-1] < 256


def test_a_comparison_interleaves_and_gives_an_interval(mock: MockServer, tmp_path: Path):
    phases: list[str] = []

    def note(progress: Progress) -> None:
        if not phases or phases[-1] != f"{progress.label} {progress.phase}":
            phases.append(f"{progress.label} {progress.phase}")

    with MockServer(ttft_s=0.2, gap_s=0.001, output_tokens=4) as slow:
        result = compare(
            {"quick": mock, "slow": slow}, unique_prompts(20, 4), ClosedLoop(2), 6, repeats=3, progress=note,
            out=tmp_path / "c",
        )  # fmt: skip
        prompts = [{record.request_id[-2:] for record in run.records} for run in result.runs]
    assert phases == [
        "quick warm-up", "slow warm-up",
        "quick repeat 1 of 3", "slow repeat 1 of 3",
        "slow repeat 2 of 3", "quick repeat 2 of 3",
        "quick repeat 3 of 3", "slow repeat 3 of 3",
    ]  # fmt: skip
    assert prompts[0] == prompts[1]
    interval = result.ratio("slow", "ttft_s.p50")
    assert interval.estimate > 1.5
    assert interval.low > 1
    assert result["slow"].label == "slow"
    with pytest.raises(KeyError):
        result["nobody"]
    with pytest.raises(UsageError, match="there is no figure 'speed'"):
        result.ratio("slow", "speed")
    assert Comparison.load(tmp_path / "c").ratio("slow", "ttft_s.p50") == interval
    assert load_bundle(tmp_path / "c").kind == "comparison"


def test_one_server_is_no_comparison(mock: MockServer):
    with pytest.raises(UsageError):
        compare({"one": mock}, unique_prompts(20, 4), ClosedLoop(1), 1)


def test_figures_that_were_not_measured_are_none(mock: MockServer):
    run = measure(mock, given_prompts(["x"], 1), ClosedLoop(1), 2)
    assert figure(run.metrics, "tpot_s.p50") is None
    assert figure(run.metrics, "ttft_s.p50") is not None
