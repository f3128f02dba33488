"""The calibration's arithmetic, on an engine that is itself a simulation with known parameters."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.bench.arrivals import ClosedLoop
from helpers.bench.run import Run
from helpers.bench.target import Target
from helpers.bench.workloads import Workload
from helpers.errors import CheckFailed, MissingError
from helpers.simulate import this_cpu
from helpers.simulate.architectures import architecture
from helpers.simulate.clock import Stepper
from helpers.simulate.cost import Terms, make_layout
from helpers.simulate.devices import Device, Link
from helpers.simulate.load import simulate_load
from helpers.simulate.session import Session, budget_tokens
from helpers.simulate.sinks import Records
from helpers.simulate.this_cpu import NOTHING, Profile, measure_profile, profile
from helpers.simulate.traffic import Users

TRUE = replace(
    NOTHING, memory=1.4, dense=2.0, step_s=0.002, batch_s=0.0005, sequence_s=0.0004, request_s=0.003, admit_s=0.004
)
LIMITS = SimpleNamespace(bandwidth_bytes_per_s=15e9, matrix_flops_per_s=9e10)


def fake_measure(noise: Callable[[int], float]) -> Callable[..., Run]:
    def measure(server: Any, workload: Workload, shape: ClosedLoop, requests: int, **_: Any) -> Run:
        model = architecture(server.model)
        machine = Device("cpu", "", "", 15e9, 0, 0, {"f32": 9e10}, Link("", 1.0, 0.0))
        stepper = Stepper(model, make_layout(model, "f32", "nano"), machine, TRUE)
        session = Session(
            input_tokens=workload.input_tokens,
            output_tokens=workload.output_tokens,
            blocks=4000,
            block_size=16,
            max_num_seqs=16,
            max_num_batched_tokens=budget_tokens("nano"),
        )
        sink, factor = Records(), noise(shape.concurrency)
        session.play(stepper, Users(shape.concurrency, requests), sink)
        for record in sink.records:
            record.sent_s = (record.sent_s or 0.0) * factor
            record.chunk_s = [time_s * factor for time_s in record.chunk_s]
            record.done_s = (record.done_s or 0.0) * factor
        target = Target("", "nano", server.model, "f32")
        return Run(shape.label, target, workload, shape, requests, (tuple(sink.records),), {})

    return measure


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    started: list[str] = []

    @contextmanager
    def launch(engine: str, *, model: str, **options: Any) -> Any:
        started.append(f"{engine} {model}")
        yield SimpleNamespace(model=model)

    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(this_cpu, "launch", launch)
    monkeypatch.setattr(this_cpu, "measure_limits", lambda: LIMITS)
    monkeypatch.setattr(this_cpu, "MODELS", ("course", "course-draft"))
    monkeypatch.setattr(this_cpu, "measure", fake_measure(lambda streams: 1.0))
    return started


def test_the_parameters_behind_the_measurements_are_found(fake_engine: list[str]) -> None:
    found = measure_profile("nano")
    for name in this_cpu.UNITS:
        assert getattr(found.parameters, name) == pytest.approx(getattr(TRUE, name), rel=1e-6)
    assert found.factor == pytest.approx(1)
    assert fake_engine == ["nano course", "nano course-draft"]


def test_noise_widens_the_interval(fake_engine: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_cpu, "measure", fake_measure(lambda streams: 1.0 if streams == 4 else 1.1))
    assert 1.01 < measure_profile("nano", keep=False).factor < 1.5


def test_what_the_mix_cannot_say_is_kept_as_a_factor_of_the_batch(
    fake_engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_cpu, "measure", fake_measure(lambda streams: 1.5 if streams == 4 else 1.0))
    found = measure_profile("nano")
    small, large = (dict(curve) for _, curve in found.decode_factors)
    for curve in (small, large):
        assert curve[4] > 1.15 * max(curve[1], curve[2], curve[16])
    assert profile("nano") == found


@pytest.mark.parametrize(("size", "factor"), [(10, 1.0), (1_000, 1.0), (100_000, 2.0), (10_000_000, 3.0), (10**9, 3.0)])
def test_a_model_between_two_sizes_gets_a_curve_between_theirs(size: int, factor: float) -> None:
    found = Profile(
        "nano", NOTHING, 1.0, 1.0, 1.0, 0.0, 2, 1, "", None, ((1_000, ((1, 1.0),)), (10_000_000, ((1, 3.0),)))
    )
    assert found.parameters_of(size).decode_factors == ((1, pytest.approx(factor)),)


def test_factors_are_of_steps_that_only_decode() -> None:
    terms = Terms(1.0, 0.0, 0.0, 0.0, 0, 0, 0.0)
    made = replace(NOTHING, memory=1.0, admit_s=0.25, decode_factors=((1, 1.0), (4, 2.0)))
    seconds = {count: made.seconds(terms, sequences=count, link_s=0.0) for count in (1, 2, 4, 64)}
    assert seconds == pytest.approx({1: 1.0, 2: 1.5, 4: 2.0, 64: 2.0})
    assert made.seconds(terms, sequences=4, admitted=2, link_s=0.0) == pytest.approx(1.25)


def test_it_is_measured_once_and_another_engine_borrows_it(fake_engine: list[str]) -> None:
    own = simulate_load("cpu", "course", concurrency=(1, 16)).points
    assert len(fake_engine) == 2
    borrowed = simulate_load("cpu", "course", engine="vllm", concurrency=(32,)).runs[0]
    assert len(fake_engine) == 2
    assert [point["extrapolates"] for point in own] == [False, False]
    assert any("vllm was not measured on this CPU" in text for text in borrowed.extrapolations)
    assert any("batch 32" in text for text in borrowed.extrapolations)
    assert own[0]["precision"] == "f32"


def test_a_profile_of_another_version_is_measured_anew(fake_engine: list[str], tmp_path: Path) -> None:
    profile("nano")
    [kept] = (tmp_path / "simulate").glob("*.json")
    kept.write_text('{"engine": "nano"}')
    profile("nano")
    assert len(fake_engine) == 4


def test_failed_requests_are_no_measurement(fake_engine: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*arguments: Any, **options: Any) -> Run:
        run = fake_measure(lambda streams: 1.0)(*arguments, **options)
        run.repeats[0][0].error = "HTTP 500"
        return run

    monkeypatch.setattr(this_cpu, "measure", measure)
    with pytest.raises(CheckFailed, match="1 requests to nano failed"):
        measure_profile("nano")


def test_a_model_larger_than_this_machine_is_refused_before_anything_is_measured(
    fake_engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Device("cpu", "this CPU", "", 1.0, 8e9, 1e9, {"f32": 1.0}, Link("", 1.0, 0.0))
    monkeypatch.setattr(this_cpu, "describe", lambda: small)
    with pytest.raises(MissingError, match=r"llama-3.1-8b in f32 is .* larger than the memory of this CPU"):
        simulate_load("cpu", "llama-3.1-8b")
    assert fake_engine == []
