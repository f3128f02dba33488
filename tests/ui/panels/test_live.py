"""The live measurement: the same run as `measure`, figures on the way, and a stop that keeps what has ended."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import helpers
from helpers.bench.arrivals import ClosedLoop
from helpers.bench.workloads import given_prompts
from helpers.client.mock import MockServer
from helpers.client.records import RequestRecord, Usage
from helpers.errors import UsageError
from helpers.ui.panels import live, panel
from helpers.ui.panels.live import LiveBenchmark, draw_run, measure_live, token_rates

WORKLOAD = given_prompts(["Anything."], output_tokens=8, fixed_output=True)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.02, gap_s=0.002, output_tokens=8) as server:
        yield server


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "emit", bundles.append)
    monkeypatch.setattr(live, "emit", bundles.append)
    return bundles


def test_unattended_it_measures_and_shows_what_came_out(mock: MockServer, shown: list[dict[str, Any]]) -> None:
    run = asyncio.run(measure_live(mock, WORKLOAD, ClosedLoop(2), 12, label="twelve"))
    assert run.complete
    assert len(run.records) == 12
    words, figure = shown
    assert set(words) == {"text/html", "text/plain"}
    assert "Measured: twelve" in words["text/plain"]
    assert "12 of 12" in words["text/plain"]
    assert "TTFT of 12 requests" in figure["text/plain"]
    assert live.FIGURE in figure


def test_stop_ends_the_load_and_keeps_what_has_ended(
    mock: MockServer, shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "is_attended", lambda: True)
    monkeypatch.setattr(live, "is_attended", lambda: True)
    benchmark = LiveBenchmark(mock, WORKLOAD, ClosedLoop(2), 100_000, {"warmup": 0})

    async def press_stop() -> helpers.Run:
        measuring = asyncio.ensure_future(benchmark.run())
        while benchmark.progress is None or benchmark.progress.done < 5:
            await asyncio.sleep(0.01)
        bar, stop = benchmark.widget.children[0].children
        stop.click()
        run = await measuring
        assert stop.disabled
        assert bar.max == 100_000
        return run

    run = asyncio.run(asyncio.wait_for(press_stop(), 60))
    assert not run.complete
    assert 5 <= len(run.records) < 100_000
    assert "Stopped; what had ended is kept." in benchmark.widget.children[1].value
    assert panel.WIDGET in shown[0]


def test_an_interrupted_cell_leaves_nothing_running(mock: MockServer, shown: list[dict[str, Any]]) -> None:
    benchmark = LiveBenchmark(mock, WORKLOAD, ClosedLoop(2), 100_000, {"warmup": 0})

    async def interrupt() -> None:
        measuring = asyncio.ensure_future(benchmark.run())
        while benchmark.progress is None:
            await asyncio.sleep(0.01)
        measuring.cancel()
        await measuring

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(interrupt(), 60))
    assert all(request.outcome != "open" for request in mock.truth().requests)


def test_errors_of_the_measurement_are_raised_where_it_was_asked_for(shown: list[dict[str, Any]]) -> None:
    benchmark = LiveBenchmark("http://127.0.0.1:9/v1", WORKLOAD, ClosedLoop(1), 1, {})
    with pytest.raises(helpers.EngineFailed):
        asyncio.run(benchmark.run())
    assert "Failed" in benchmark.text()
    with pytest.raises(UsageError, match="progress"):
        asyncio.run(measure_live("http://127.0.0.1:9/v1", WORKLOAD, ClosedLoop(1), 1, progress=print))


def test_rates_count_every_token_once() -> None:
    chunks = [0.1 * number for number in range(1, 41)]
    record = RequestRecord("r", sent_s=0.0, chunk_s=chunks, done_s=4.0, usage=Usage(output_tokens=80))
    times_s, rates = token_rates([record])
    assert times_s[-1] == pytest.approx(4.0)
    assert rates[-1] == pytest.approx(20.0, rel=0.05)
    assert rates[live.BINS // 2] == pytest.approx(20.0, rel=0.1)
    assert token_rates([]) == ([], [])


def test_a_run_without_an_answer_can_be_drawn() -> None:
    assert "no request ended well" in draw_run([], "nothing", "measured").layout.meta["alt"]
