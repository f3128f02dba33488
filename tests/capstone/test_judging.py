"""Judging for real, on a small brief: what is refused, what is served, and what is left of an engine that dies."""

import threading
from pathlib import Path

import psutil
import pytest

from helpers.capstone import judging
from helpers.capstone.brief import Brief, Load, Yardstick, find_brief
from helpers.capstone.deployment import Checked, Deployment
from helpers.capstone.judgement import load_judgement
from helpers.capstone.serving import Serving, serve
from helpers.errors import EngineUnavailable, MissingError, UsageError

pytestmark = pytest.mark.timeout(300)

KILLED_AFTER_S = 1.0


def small(**changed: object) -> Brief:
    values: dict[str, object] = {
        "name": "chat",
        "title": "A small service",
        "situation": "A few users.",
        "profile": "laptop",
        "models": ("course", "course-draft"),
        "engines": ("llama.cpp", "nano"),
        "cores": 2,
        "memory_gb": 1.0,
        "load": Load(
            preambles=2,
            preamble_tokens=60,
            own_tokens=10,
            output_tokens=8,
            rate_per_s=4.0,
            requests=12,
            quick_requests=8,
        ),
        "target_per_s": 1.0,
        "budget_eur": 1.0,
        "weights": {"goodput": 60, "cost": 20, "honesty": 20},
        "quality": "facts",
        "quality_floor": 0.9,
        "default": {"engine": "llama.cpp", "model": "course"},
        "yardstick": Yardstick(engine="llama.cpp", model="course", input_tokens=60, output_tokens=4, nominal_s=0.05),
    }
    return Brief(**{**values, **changed})  # type: ignore[arg-type]


def deployment(**changed: object) -> Deployment:
    return Deployment.build(**{"engine": "llama.cpp", "model": "course", "max_model_len": 512, **changed})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Serving]:
    """What was started, while it runs and after."""
    found: list[Serving] = []

    def remembering(checked: Checked) -> Serving:
        found.append(serve(checked))
        return found[-1]

    monkeypatch.setattr(judging, "serve", remembering)
    return found


def on(brief: Brief, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "find_brief", lambda name, profile: brief)


def test_two_replicas_behind_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Serving]
) -> None:
    on(small(), monkeypatch)
    steps: list[str] = []
    made = judging.judge(
        "chat", deployment(replicas=2, prediction={"goodput_per_s": 2.0}), out=tmp_path / "kept", told=steps.append
    )
    assert made.quality == 1.0
    assert made.endings == ()
    assert made.run is not None
    assert made.metrics.errors == 0
    assert made.run.counters["after"]["output_tokens_total"] > 0
    assert made.cpu_s is not None
    assert made.cpu_s > 0
    assert made.pace.measured_s > 0
    assert made.cores == 2
    assert "2 replicas behind the gateway" in made.run.target.backend
    assert len(steps) == 6
    assert made.pace.drift != 1.0
    assert load_judgement(tmp_path / "kept").metrics == made.metrics
    assert not any(psutil.pid_exists(server.pid or -1) for server in started[0].servers)


def test_a_broken_model_is_quick_and_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    on(small(yardstick=None), monkeypatch)
    made = judging.judge("chat", deployment(model="course-draft"), quick=True)
    assert made.quality is not None
    assert made.quality < 0.9
    assert made.score == 0


def test_one_that_dies_under_load_scores_what_it_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[Serving]
) -> None:
    load = Load(
        own_tokens=20, preambles=1, preamble_tokens=20, output_tokens=4, rate_per_s=10.0, requests=40, quick_requests=40
    )
    on(small(yardstick=None, load=load), monkeypatch)
    timers = []

    def told(step: str) -> None:
        if step.startswith("playing"):
            (server,) = started[0].servers
            engine = psutil.Process(server.pid)
            timers.append(threading.Timer(KILLED_AFTER_S, engine.kill))
            timers[0].start()

    made = judging.judge("chat", deployment(), told=told, out=tmp_path / "kept")
    timers[0].join()
    assert 0 < made.good < made.offered
    assert made.metrics.errors > 0
    assert not made.slo_met
    assert made.goodput_per_s > 0
    assert made.reasons[0].startswith("died: replica 1 of 1: llama.cpp")
    assert "signal 9" in made.reasons[0] or "SIGKILL" in made.reasons[0] or "killed" in made.reasons[0].lower()
    again = load_judgement(tmp_path / "kept")
    assert (again.good, again.endings) == (made.good, made.endings)


def test_one_that_dies_before_the_load_says_so(monkeypatch: pytest.MonkeyPatch, started: list[Serving]) -> None:
    on(small(yardstick=None), monkeypatch)

    def told(step: str) -> None:
        if step.startswith("asking"):
            (server,) = started[0].servers
            psutil.Process(server.pid).kill()

    made = judging.judge("chat", deployment(), told=told)
    assert (made.good, made.goodput_per_s, made.slo_met) == (0, 0.0, False)
    assert made.reasons[0].startswith("died: ")


@pytest.mark.parametrize(
    ("decisions", "error"),
    [
        ({"max_num_seqs": 200, "max_model_len": 4096}, MissingError),
        ({"engine": "lama.cpp"}, UsageError),
        ({"extra": {"warp": 9}}, UsageError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    decisions: dict[str, object], error: type[Exception], monkeypatch: pytest.MonkeyPatch, started: list[Serving]
) -> None:
    on(small(), monkeypatch)
    with pytest.raises(error):
        judging.judge("chat", deployment(**decisions))
    assert started == []


def test_an_engine_of_somebody_else_is_not_judged(monkeypatch: pytest.MonkeyPatch, started: list[Serving]) -> None:
    monkeypatch.setenv("COURSE_ENGINE_URL", "http://127.0.0.1:1/v1")
    with pytest.raises(EngineUnavailable, match="cannot be judged"):
        judging.judge("chat", Deployment.build(**find_brief("chat", "laptop").default))
    assert started == []
