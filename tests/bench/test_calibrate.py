"""Calibration: what it measures and how it is kept; the bars themselves are in benchmarks/client_accuracy.py."""

import json
import time

import psutil
import pytest

from helpers.bench.calibrate import busy_process, cache_path, cached_client_error, calibrate, error_at
from helpers.bench.table import client_error_line


@pytest.fixture(scope="module")
def calibration() -> dict[str, object]:
    return calibrate([1, 4], keep=True)


def test_every_stream_count_is_measured_idle_and_beside_a_load(calibration: dict[str, object]):
    points = calibration["points"]
    assert [(point["streams"], point["beside_load"]) for point in points] == [
        (1, False),
        (4, False),
        (1, True),
        (4, True),
    ]
    for point in points:
        assert point["peak_in_flight"] == point["streams"]
        assert point["errors"] == 0
        assert point["true_ttft_p50_s"] > 0.049
        # The client sees no token before it was written.
        assert point["ttft_p50_error_s"] > 0


def test_it_is_kept_for_later_results(calibration: dict[str, object]):
    assert cached_client_error() == json.loads(json.dumps(calibration))


def test_a_damaged_calibration_is_no_calibration(calibration: dict[str, object]):
    text = cache_path().read_text()
    for damaged in ("{", "[]", '{"points": [{"streams": 1}]}'):
        cache_path().write_text(damaged)
        assert cached_client_error() is None
    cache_path().write_text(text)
    assert cached_client_error() is not None


def test_the_next_larger_point_stands_for_a_load(calibration: dict[str, object]):
    assert error_at(calibration, 2).streams == 4
    assert error_at(calibration, 1, beside_load=False).streams == 1
    assert error_at(calibration, 100).streams == 4
    assert "4 streams: TTFT +" in client_error_line(calibration, []) or "1 streams: TTFT +" in client_error_line(
        calibration, []
    )
    assert "not measured on this machine" in client_error_line(None, [])


def test_the_busy_process_is_busy_and_ends():
    others = set(psutil.Process().children())  # of tests before, some of them about to end
    with busy_process():
        (process,) = set(psutil.Process().children()) - others
        before_s = process.cpu_times().user
        deadline_s = time.monotonic() + 30
        while process.cpu_times().user < before_s + 0.1 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert process.cpu_times().user >= before_s + 0.1
    assert not process.is_running()
