"""An engine starts when it is its turn and when it fits; its ticket lives as long as it does."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from helpers.engines import lease, llama_cpp, memory, persistent, starting
from helpers.engines.adapter import complete
from helpers.engines.memory import HostMemory
from helpers.engines.plan import LaunchPlan, ServeConfig
from helpers.engines.reservation import reserve, stop_command, uses_gpu
from helpers.errors import EngineUnavailable, MissingError, UsageError
from tests.engines.conftest import FakeAdapter, is_gone, until

BIG = ServeConfig(engine="vllm", model="someone/something", max_model_len=8, extra={"release": "ngc-26.10"})


@pytest.fixture(autouse=True)
def a_spark_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    monkeypatch.setattr(memory, "host_memory", lambda: HostMemory(128 * 10**9, 118 * 10**9))


def test_only_releases_for_the_gpu_want_it() -> None:
    assert uses_gpu(BIG)
    assert not uses_gpu(ServeConfig(engine="vllm", extra={"release": "cpu-0.32"}))
    assert not uses_gpu(ServeConfig(engine="llama.cpp"))


def test_a_second_engine_needs_to_be_asked_for() -> None:
    first = reserve(BIG, beside=False, told=None)
    with pytest.raises(UsageError, match=r"runs vllm already(?s:.)*beside=True"):
        reserve(BIG, beside=False, told=None)
    second = reserve(BIG, beside=True, told=None)
    assert [ticket.kind for ticket in lease.tickets()] == ["engine", "embedded"]
    first.release()
    second.release()


def test_an_engine_that_stays_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    first = reserve(BIG, beside=False, told=None)
    first.tell(persistent=True, url="http://127.0.0.1:8000/v1")
    monkeypatch.setattr(os, "getpid", lambda: 1)  # somebody else
    with pytest.raises(
        EngineUnavailable, match=r"started to stay(?s:.)*8000/v1, or end it: ./course engines stop vllm"
    ):
        reserve(BIG, beside=False, told=None)
    assert len(lease.tickets()) == 1
    first.release()


def test_what_does_not_fit_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "host_memory", lambda: HostMemory(128 * 10**9, 9 * 10**9))
    with pytest.raises(MissingError, match="can be given"):
        reserve(BIG, beside=False, told=None)
    assert lease.tickets() == []


def test_a_container_has_a_command_that_ends_it() -> None:
    run = ("docker", "run", "--rm", "--init", "--name", "course-vllm-8000", "image", "vllm")
    urls = {"api": "http://127.0.0.1:8000/v1"}
    assert stop_command(LaunchPlan(engine="vllm", argv=run, port=8000, urls=urls)) == (
        *("docker", "rm", "--force"),
        "course-vllm-8000",
    )
    assert stop_command(LaunchPlan(engine="vllm", argv=("vllm", "serve"), port=8000, urls=urls)) == ()


def test_a_stopped_engine_leaves_no_ticket_and_a_crashed_one_neither() -> None:
    running = starting.start(FakeAdapter(), ServeConfig())
    (ticket,) = persistent.running()
    assert (ticket.facts["engine"], ticket.facts["url"]) == ("auto", running.url)
    running.stop()
    assert lease.tickets() == []
    crashing = starting.start(FakeAdapter(), ServeConfig())
    assert crashing.pid is not None
    os.kill(crashing.pid, signal.SIGKILL)
    assert until(lambda: not lease.tickets(), 2.0)
    crashing.stop()


def test_an_engine_left_running_is_found_used_and_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ServeConfig(engine="fake", model="course", max_num_seqs=4)
    started = starting.start(FakeAdapter(), config)
    pid = started.pid
    assert pid is not None
    started.leave()
    started.stop()
    del started
    assert not is_gone(pid)
    assert persistent.find("fake", ServeConfig(model="course")) is not None
    assert persistent.find("fake", ServeConfig(model="course", max_num_seqs=4)) is not None
    assert persistent.find("fake", ServeConfig(model="course", precision="f16")) is None
    assert persistent.find("fake", ServeConfig(model="course-heavy")) is None
    assert persistent.find("other", ServeConfig(model="course")) is None
    assert persistent.log_of("fake").is_file()
    stopped = persistent.stop("fake")
    assert [ticket.facts["engine"] for ticket in stopped] == ["fake"]
    assert is_gone(pid)
    with pytest.raises(MissingError, match="no fake was started to stay"):
        persistent.stop("fake")


def test_asking_a_shared_engine_waits_for_a_measurement_and_being_attached_keeps_nobody_away(tiny_model: str) -> None:
    import helpers

    # On this machine llama.cpp means the server of the GPU; the embedded one is asked for by its adapter.
    config = complete(llama_cpp.ADAPTER, ServeConfig(engine="llama.cpp", model=tiny_model, max_num_seqs=1))
    with starting.start(llama_cpp.ADAPTER, config) as engine:
        attached = helpers.attach(engine.url)
        assert [ticket.kind for ticket in lease.tickets()] == ["embedded"]
        measurement = lease.take("measure", wait_s=0)
        assert attached.chat("hello", max_tokens=1).usage.output_tokens == 1  # ours: the same process
        measurement.release()
        assert asyncio.run(attached.achat("hello", max_tokens=1)).usage.output_tokens == 1
        seen: list[str] = []
        for _ in attached.stream("hello", max_tokens=2):
            seen += [ticket.kind for ticket in lease.tickets()]
        assert "attach" in seen
        assert [ticket.kind for ticket in lease.tickets()] == ["embedded"]
