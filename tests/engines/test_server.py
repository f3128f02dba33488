"""Starting, failing to start, dying and stopping, with an engine that is none."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.config import ROOT
from helpers.engines.adapter import complete
from helpers.engines.plan import ServeConfig
from helpers.engines.starting import start
from helpers.errors import EngineFailed, EngineUnavailable, UsageError
from tests.engines.conftest import FakeAdapter, is_gone, until

CONFIG = ServeConfig(engine="fake", precision="f32")


def test_ready_when_health_says_so_and_progress_is_told() -> None:
    told: list[str] = []
    with start(FakeAdapter(), CONFIG, progress=lambda state, elapsed_s: told.append(state)) as server:
        assert server.plan is not None
        assert server.url == f"http://127.0.0.1:{server.plan.port}/v1"
        assert server.metrics() == {}
    assert set(told) <= {"starting", "loading the model", "ready"}
    assert told[-1] == "ready"
    assert server.pid is not None
    assert is_gone(server.pid)


def test_an_asked_port_is_taken() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    with start(FakeAdapter(), CONFIG.at_port(number)) as server:
        assert server.url == f"http://127.0.0.1:{number}/v1"
        with pytest.raises(UsageError, match=f"port {number} cannot be used"):
            start(FakeAdapter(), CONFIG.at_port(number))


def test_an_engine_that_ends_is_explained_by_its_adapter() -> None:
    with pytest.raises(EngineFailed, match=r"(?s)fake: no flavour sour.*a joke.*choose another"):
        start(FakeAdapter({"say": "no such flavour: sour", "exit": 1}), CONFIG)


def test_an_engine_that_ends_wordless_has_its_exit_code_told() -> None:
    with pytest.raises(EngineFailed, match="exit code 3"):
        start(FakeAdapter({"exit": 3}), CONFIG)


def test_an_engine_that_never_gets_ready_is_stopped_and_its_words_shown() -> None:
    children = set(_children())
    with pytest.raises(EngineFailed, match=r"(?s)did not answer within 0.5 s.*still thinking"):
        start(FakeAdapter({"status": 503, "say": "still thinking"}), CONFIG, timeout_s=0.5)
    assert set(_children()) <= children


def test_an_engine_that_serves_something_else_is_stopped() -> None:
    with pytest.raises(EngineFailed, match="works without speculation"):
        start(FakeAdapter({"say": "going on without speculation"}), CONFIG)


def test_a_program_that_is_missing_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = FakeAdapter()
    monkeypatch.setattr("tests.engines.conftest.fake_argv", lambda port, **options: ["no-such-engine"])
    with pytest.raises(EngineUnavailable, match="no-such-engine"):
        start(adapter, CONFIG)


def test_its_death_is_noticed_by_every_call() -> None:
    with start(FakeAdapter({"say": "famous last words"}), CONFIG) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        words = r"SIGKILL; last words: .*famous last words"
        with pytest.raises(EngineFailed, match=words):
            server.chat("hello")
        with pytest.raises(EngineFailed, match=words):
            server.complete("hello")
        with pytest.raises(EngineFailed, match=words):
            list(server.stream("hello"))
        with pytest.raises(EngineFailed, match=words):
            asyncio.run(server.achat("hello"))
        with pytest.raises(EngineFailed, match=words):
            server.metrics()
        with pytest.raises(EngineFailed, match=words):
            server.require_running()


def test_a_stopped_server_says_so() -> None:
    server = start(FakeAdapter(), CONFIG)
    server.stop()
    with pytest.raises(UsageError, match="was stopped"):
        server.chat("hello")
    assert "stopped" in repr(server)


def test_an_interrupt_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "from tests.engines.conftest import FakeAdapter\n"
        "from helpers.engines.plan import ServeConfig\n"
        "from helpers.engines.starting import start\n"
        f"start(FakeAdapter({{'status': 503, 'worker': {str(tmp_path / 'worker')!r}}}), ServeConfig())\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    assert until((tmp_path / "worker").exists)
    owner.send_signal(signal.SIGINT)
    _, words = owner.communicate(timeout=10)
    assert b"KeyboardInterrupt" in words
    assert until(lambda: is_gone(int((tmp_path / "worker").read_text())))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ServeConfig(tensor_parallel=2), "fake has no tensor_parallel"),
        (ServeConfig(speculation="ngram"), "fake has no speculation 'ngram'"),
        (ServeConfig(precision="f16"), "fake does not serve f16"),
        (ServeConfig(extra={"color": 1}), "did you mean colour"),
    ],
)
def test_what_the_engine_does_not_have_is_refused(config: ServeConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        complete(FakeAdapter(), config)


def _children() -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process().children(recursive=True)]
