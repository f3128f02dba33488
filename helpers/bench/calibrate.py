"""The client's own error on this machine: what it reports of a mock server, against what the mock really did.

Measured at several numbers of streams, idle and beside a CPU load like an engine's, and kept in the user's cache
folder per machine. Every result carries it: a TTFT of 12 ms from a client that errs by 10 ms says little.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.bundle import write_json
from helpers.bench.drive import drive
from helpers.bench.metrics import Distribution, summarize
from helpers.bench.provenance import load_average, machine_id
from helpers.bench.target import find_target
from helpers.bench.tokens import WordTokens
from helpers.bench.workloads import given_prompts, make_prompts
from helpers.client.mock import MockServer
from helpers.client.records import RequestRecord
from helpers.config import read_settings
from helpers.errors import CourseError

STREAMS = (1, 16, 64, 256)
TTFT_S, GAP_S, OUTPUT_TOKENS = 0.05, 0.005, 64
ROUNDS = 3
"""Requests a stream: the first ones open the connections' code paths, the others settle."""

FEWEST_REQUESTS = 8

BUSY = """
import os, sys, threading
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
matrix, vector = numpy.ones((2048, 2048), numpy.float32), numpy.ones(2048, numpy.float32)
print(flush=True)
while True:
    matrix @ vector
"""
"""A process that reads weights as a decoding engine does, on one thread, until its parent closes the pipe."""


@dataclass(frozen=True, slots=True)
class ErrorPoint:
    """The client's error at one number of streams: reported minus true, in seconds.

    Attributes:
        streams: requests in flight that were asked for; peak_in_flight: what the mock saw.
        beside_load: measured beside a busy process.
        true_ttft_p50_s, true_gap_p50_s: what the mock did; its nominal times are 50 ms and 5 ms.
        coalesced_share: share of gaps that came out of one read.
    """

    streams: int
    beside_load: bool
    ttft_p50_error_s: float
    ttft_p99_error_s: float
    gap_mean_error_s: float
    gap_p50_error_s: float
    gap_p99_error_s: float
    true_ttft_p50_s: float
    true_gap_p50_s: float
    peak_in_flight: int
    requests: int
    errors: int
    coalesced_share: float


def calibrate(
    streams: Sequence[int] = STREAMS, *, progress: Callable[[str], None] | None = None, keep: bool = True
) -> dict[str, Any]:
    """Measure the client's error, about ten seconds; `keep` puts it in the cache for all later results.

    Returns:
        {"origin": "measured", "machine_id", "date", "load_average", "points": [ErrorPoint as dictionaries]}
    """
    result: dict[str, Any] = {
        "origin": "measured",
        "machine_id": machine_id(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": load_average(),
        "points": [],
    }
    with MockServer(ttft_s=TTFT_S, gap_s=GAP_S, output_tokens=OUTPUT_TOKENS) as mock:
        for beside_load in (False, True):
            with busy_process() if beside_load else nullcontext():
                for count in streams:
                    if progress is not None:
                        where = "beside a CPU load" if beside_load else "idle"
                        progress(f"calibrating the client: {count} streams, {where}")
                    result["points"].append(asdict(measure_error(mock, count, beside_load)))
    if keep:
        path = cache_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, result)
    return result


def measure_error(mock: MockServer, streams: int, beside_load: bool) -> ErrorPoint:
    """Load the mock with `streams` streams and compare the client's figures with the mock's."""
    workload = given_prompts(["How late does this client think you are?"], OUTPUT_TOKENS)
    requests = max(FEWEST_REQUESTS, ROUNDS * streams)
    target = find_target(mock)
    prompts = make_prompts(workload, WordTokens(), 0, requests)
    records: list[RequestRecord] = []
    mock.reset()
    drive(
        target, workload, prompts, ClosedLoop(streams), ids="calibrate", seed=0, timeout_s=60, on_record=records.append
    )
    truth = mock.truth()
    told = summarize(records)
    true_ttft = Distribution.of(value for request in truth.requests if (value := request.ttft_s) is not None)
    true_gap = Distribution.of(gap for request in truth.requests for gap in request.gaps_s)
    if told.ttft_s is None or told.itl_s is None or true_ttft is None or true_gap is None:
        first = next((record.error for record in records if record.error), "no request was answered")
        raise CourseError("the client could not be calibrated", first, "./course bench calibrate")
    return ErrorPoint(
        streams=streams,
        beside_load=beside_load,
        ttft_p50_error_s=told.ttft_s.p50 - true_ttft.p50,
        ttft_p99_error_s=told.ttft_s.p99 - true_ttft.p99,
        gap_mean_error_s=told.itl_s.mean - true_gap.mean,
        gap_p50_error_s=told.itl_s.p50 - true_gap.p50,
        gap_p99_error_s=told.itl_s.p99 - true_gap.p99,
        true_ttft_p50_s=true_ttft.p50,
        true_gap_p50_s=true_gap.p50,
        peak_in_flight=truth.peak_in_flight,
        requests=told.requests,
        errors=told.errors,
        coalesced_share=told.coalesced_share,
    )


@contextmanager
def busy_process() -> Iterator[None]:
    """A CPU load beside the measuring, for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def cache_path() -> Path:
    """Where this machine's calibration is kept."""
    return read_settings().cache / "calibration" / f"{machine_id()}.json"


def cached_client_error() -> dict[str, Any] | None:
    """The kept calibration; None if there is none, or it cannot be read, so that it is measured anew."""
    try:
        value = json.loads(cache_path().read_text(encoding="utf-8"))
        known = {f.name for f in fields(ErrorPoint)}
        return value if all(set(point) == known for point in value["points"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def error_at(client_error: dict[str, Any], streams: int, beside_load: bool = True) -> ErrorPoint | None:
    """The calibrated point that stands for a number of streams: the next larger one, or the largest.

    Args:
        client_error: from `calibrate` or a bundle.
        streams: in flight.
        beside_load: True where the engine runs on this machine's CPU.
    """
    points = [ErrorPoint(**point) for point in client_error["points"] if point["beside_load"] == beside_load]
    points.sort(key=lambda point: point.streams)
    return next((point for point in points if point.streams >= streams), points[-1] if points else None)
