"""Engines that the grader owns: what may be asked for, and what is known of them afterwards."""

from pathlib import Path

import pytest

import helpers
from helpers.engines.server import Server
from helpers.errors import EngineUnavailable, UsageError
from helpers.grade.broker import MOST_AT_ONCE, Broker


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A broker that notebooks find; its own launches start engines."""
    owner = Broker(tmp_path / "engines")
    monkeypatch.setenv("COURSE_ENGINE_BROKER", owner.url)
    yield owner
    owner.stop()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Engines that would have been started: each answers nothing and counts 5 tokens."""
    asked: list[str] = []

    def launch(engine: str, model: str, **options: object) -> Server:
        if engine == "vllm":
            raise EngineUnavailable("vllm cannot be started here", "it needs a GPU", "./course doctor")
        if engine == "sglang":
            raise UsageError("sglang has no such option")
        asked.append(f"{engine} {model} {options}")
        from helpers.engines.plan import LaunchPlan

        url = f"http://127.0.0.1:{len(asked)}/v1"
        plan = LaunchPlan(engine=engine, argv=("engine",), port=len(asked), urls={"api": url, "metrics": url})
        return Server(
            engine=engine,
            model=model,
            precision="f32",
            url=url,
            backend="a test",
            read_metrics=lambda: {"output_tokens_total": 5.0},
            plan=plan,
        )

    monkeypatch.setattr("helpers.grade.broker.launch", launch)
    return asked


def test_a_notebook_gets_a_server_and_the_grader_its_counters(broker: Broker, started: list[str]) -> None:
    with helpers.launch("nano", "course", max_num_seqs=2) as server:
        assert (server.engine, server.url, server.backend) == ("nano", "http://127.0.0.1:1/v1", "a test")
    assert started == ["nano course {'beside': False, 'max_num_seqs': 2}"]
    (use,) = broker.to_json()["engines"]
    assert (use["engine"], use["url"], use["counters"]) == ("nano", server.url, {"output_tokens_total": 5.0})


def test_an_engine_that_cannot_run_here_is_refused_in_its_own_words(broker: Broker, started: list[str]) -> None:
    with pytest.raises(EngineUnavailable, match="vllm cannot be started here"):
        helpers.launch("vllm", "course")
    assert broker.to_json()["refused"] == ["vllm: vllm cannot be started here"]


def test_wrong_use_is_no_reason_that_something_cannot_be_run(broker: Broker, started: list[str]) -> None:
    with pytest.raises(UsageError, match="no such option"):
        helpers.launch("sglang", "course")
    assert broker.to_json()["refused"] == []


@pytest.mark.parametrize(
    "options",
    [
        {"model": "/etc"},
        {"model": "."},
        {"port": 99},
        {"container": True},
        {"nodes": ("a",)},
        {"extra": {"file": "/etc/passwd"}},
    ],
)
def test_what_is_the_graders_own_affair_cannot_be_asked_for(
    broker: Broker, started: list[str], options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        helpers.launch("nano", **{"model": "course", **options})  # type: ignore[arg-type]
    assert started == []


def test_there_is_a_bound_on_engines(broker: Broker, started: list[str]) -> None:
    servers = [helpers.launch("nano", "course") for _ in range(MOST_AT_ONCE)]
    with pytest.raises(UsageError, match=f"a notebook may have {MOST_AT_ONCE} engines at once"):
        helpers.launch("nano", "course")
    for server in servers:
        server.stop()
        server.stop()
    helpers.launch("nano", "course").stop()
    assert len(started) == MOST_AT_ONCE + 1
