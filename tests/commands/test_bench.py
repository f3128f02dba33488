"""`./course bench` as a user calls it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.bench.bundle import load_bundle
from helpers.bench.calibrate import calibrate
from helpers.client.mock import MockServer
from helpers.config import ROOT


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    calibrate([1])
    with MockServer(ttft_s=0.01, gap_s=0.001, output_tokens=8) as server:
        yield server


def bench(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "helpers", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    return done


SMALL = ("--input-tokens", "20", "--output-tokens", "8")


def test_json_is_the_contract_form_and_nothing_else(mock: MockServer, tmp_path: Path):
    done = bench(
        "--url", mock.url, "--concurrency", "1,4", "--requests", "8", *SMALL, "--json", "--out", str(tmp_path / "b")
    )
    value = json.loads(done.stdout)
    assert set(value) == {"points", "client_error", "provenance"}
    assert [point["concurrency"] for point in value["points"]] == [1, 4]
    for point in value["points"]:
        assert (point["requests"], point["errors"], point["peak_in_flight"]) == (8, 0, point["concurrency"])
        assert point["valid"] is True
        for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s"):
            assert set(point[name]) == {"mean", "p50", "p90", "p99"}
        assert point["output_tokens_per_s"] > 0 < point["input_tokens_per_s"]
    assert value["client_error"]["origin"] == "measured"
    assert value["points"] == load_bundle(tmp_path / "b").to_json()["points"]


def test_a_table_with_notes_and_the_other_bundle_beside_it(mock: MockServer, tmp_path: Path):
    options = ("--url", mock.url, "--concurrency", "2", "--requests", "8", *SMALL)
    bench(*options, "--out", str(tmp_path / "a"))
    done = bench(*options, "--out", str(tmp_path / "b"), "--compare", str(tmp_path / "a"))
    assert "2 streams" in done.stdout
    assert "client error" in done.stdout
    assert "2 streams against attached, mock" in done.stdout
    assert "not interleaved" in done.stdout


def test_rates(mock: MockServer, tmp_path: Path):
    done = bench(
        "--url", mock.url, "--rate", "50,100", "--requests", "5", *SMALL, "--json", "--out", str(tmp_path / "b")
    )
    points = json.loads(done.stdout)["points"]
    assert [(point["rate_per_s"], point["concurrency"], point["requests"]) for point in points] == [
        (50, None, 5),
        (100, None, 5),
    ]


def test_a_marked_point_is_exit_code_1(tmp_path: Path):
    with MockServer(ttft_s=0, gap_s=0, output_tokens=1, faults={"error_rate": 0.5}) as mock:
        done = bench("--url", mock.url, "--concurrency", "1", *SMALL, "--json", "--out", str(tmp_path / "b"), code=1)
    (point,) = json.loads(done.stdout)["points"]
    assert point["valid"] is False
    assert point["errors"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "bench needs --url or --engine"),
        (("--url", "http://127.0.0.1:1", "--concurrency", "many"), 2, "--concurrency takes numbers"),
        (("--url", "http://127.0.0.1:1", "--concurrency", "0"), 2, "concurrency must be"),
        (("--url", "http://127.0.0.1:1", "--engine", "auto"), 2, "not allowed with"),
        (("--url", "here"), 2, "no http(s) URL"),
        (("--url", "http://127.0.0.1:1"), 3, "nothing listens"),
        (("--url", "http://127.0.0.1:1", "--compare", "nowhere"), 3, "holds no bundle"),
    ],
)
def test_wrong_use_says_what_to_do(mock: MockServer, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str):
    done = bench(*arguments, "--out", str(tmp_path / "b"), code=code)
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
