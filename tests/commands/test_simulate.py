import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.bench.bundle import load_bundle
from helpers.cli import main
from helpers.models import hub
from helpers.simulate import this_cpu
from helpers.simulate.this_cpu import NOTHING, Profile

MODELS = ("course", "course-draft", "course-heavy", *hub.models())
DEVICES = ("cpu", "gb10", "h100", "h200")
PROFILE = Profile(
    engine="nano",
    parameters=replace(NOTHING, memory=1.2, dense=2.0, step_s=0.003),
    bandwidth_bytes_per_s=15e9,
    flops_per_s=9e10,
    factor=1.2,
    worst=0.2,
    largest_batch=16,
    largest_parameters=150_000_000,
    date="2026-11-24T00:00:00+00:00",
    load_average=0.1,
)


@pytest.fixture(autouse=True)
def measured_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_cpu, "profile", lambda engine, progress=None: PROFILE)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_and_device_answers(device: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--device", device, "--model", model, "--concurrency", "1,4", "--requests", "4", "--json"]
    code = main(command)
    value = json.loads(capsys.readouterr().out)
    if code == 3:
        assert value["points"] == []
        assert "GiB larger than the memory of" in value["does_not_fit"]
        assert value["short_bytes"] > 0
        return
    assert code == 0
    assert set(value) == {"points", "client_error", "provenance"}
    for point in value["points"]:
        assert point["origin"] == "simulated"
        assert point["output_tokens_per_s"] > 0
        assert set(point["intervals"]) >= {"output_tokens_per_s", "ttft_s.p50", "tpot_s.p50", "e2e_s.p50"}


def test_what_fits_where() -> None:
    """The models that a device of the contract cannot hold in any published quantization: few, and known."""
    refused = {
        (device, model)
        for device in DEVICES[1:]
        for model in MODELS
        if main(["simulate", "--device", device, "--model", model, "--concurrency", "1", "--requests", "1", "--json"])
    }
    assert refused == {("gb10", "qwen3-235b-a22b"), ("h100", "qwen3-235b-a22b")}
    pair = ["simulate", "--model", "qwen3-235b-a22b", "--quantization", "nvfp4", "--tensor-parallel", "2", "--json"]
    assert main(pair) == 0


def test_every_option_of_the_contract_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = "--device gb10 --model llama-3.1-8b --quantization fp8 --engine sglang --concurrency 1,4 --requests 4"
    more = "--input-tokens 256 --output-tokens 32 --tensor-parallel 2 --acceptance 0.7 --eager --json"
    assert main(["simulate", *options.split(), *more.split(), "--out", str(tmp_path / "bundle")]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [point["concurrency"] for point in value["points"]] == [1, 4]
    assert value["provenance"]["simulated"]["eager"] is True
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.origin == "simulated"
    assert bundle.runs[0].metrics.acceptance_length is not None


def test_text_says_that_nothing_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--concurrency", "1,64", "--requests", "64"]) == 0
    text = capsys.readouterr().out
    assert "SIMULATED, nothing was measured" in text
    assert "80 % intervals" in text
    assert "64 streams: batch 64: the published figures end at 32" in text


def test_residuals_show_every_published_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "residuals", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    kinds = {row["kind"] for row in value["rows"]}
    assert kinds == {"decode", "prefill", "eager", "two-sparks", "stock", "implausible"}
    assert main(["simulate", "residuals"]) == 0
    assert "left out" in capsys.readouterr().out


def test_capacity_from_ones_own_prices(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from helpers.simulate.prices import PRICES

    own = tmp_path / "mine.toml"
    own.write_text(PRICES.read_text().replace('currency = "USD"', 'currency = "CHF"'))
    options = "--model llama-3.1-70b --quantization bf16 --ttft 0.001 --input-tokens 32 --output-tokens 4"
    assert main(["simulate", "capacity", *options.split(), "--prices", str(own)]) == 0
    text = capsys.readouterr().out
    assert "gb10: llama-3.1-70b in bf16 is" in text
    assert "2x gb10: even one user waits" in text
    assert "CHF" in text


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--device b200", 2, "unknown device 'b200'"),
        ("--model llama-9", 2, "unknown model 'llama-9'"),
        ("--concurrency one", 2, "--concurrency takes numbers"),
        ("--model qwen3-8b --input-tokens 50000", 2, "exceed the context of 40,960"),
        ("--model llama-3.1-70b --quantization bf16", 3, "GiB larger than the memory of DGX Spark"),
        ("--model /nowhere/config.json", 3, "there is no /nowhere/config.json"),
    ],
)
def test_bad_input_is_three_lines(options: str, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *options.split()]) == code
    error = capsys.readouterr().err
    assert said in error.splitlines()[0]
    assert len(error.splitlines()) <= 3
