"""The real engines on an NVIDIA GPU: launched, answering, loaded, measured, stopped. Group `gpu`.

All serve the course model, so nothing is downloaded but images and packages. Machines with a GPU are shared: these
tests take their turn on the machine's own board.
"""

import os
from collections.abc import Iterator

import pytest

import helpers
from helpers.bench.arrivals import ClosedLoop
from helpers.bench.runner import measure
from helpers.bench.workloads import unique_prompts
from helpers.engines import catalog, lease
from helpers.engines.server import Server
from helpers.errors import EngineFailed
from tests.engines.endings import container_of, containers, is_free, require

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(3600)]

ENGINES = ("vllm", "sglang", "tensorrt-llm", "ollama", "llama.cpp")
COUNTED = ("vllm", "sglang", "llama.cpp")
"""Engines whose counters every release of the catalogue has; TensorRT-LLM's page came late, Ollama has none."""

QUESTION = "What is a KV cache?"


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    require(request.param)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("COURSE_LEASES")
        with helpers.launch(request.param, max_model_len=1024, max_num_seqs=4) as launched:
            yield launched


def test_it_answers_and_says_what_it_is(server: Server) -> None:
    reply = server.chat(QUESTION, max_tokens=24, temperature=0)
    assert reply.text.strip()
    assert reply.usage.output_tokens is not None
    assert 0 < reply.usage.output_tokens <= 24
    entry = catalog.find(server.engine)
    assert server.backend.startswith(entry.title)
    assert any(release.version in server.backend for release in entry.releases)
    (ticket,) = [t for t in lease.tickets() if t.pid == os.getpid() and t.facts.get("engine") == server.engine]
    assert (ticket.kind, ticket.facts["state"], ticket.facts["url"]) == ("engine", "running", server.url)


def test_it_streams_in_pieces(server: Server) -> None:
    pieces = list(server.stream(QUESTION, max_tokens=24, temperature=0))
    assert len(pieces) > 4
    assert "".join(pieces).strip()


def test_attaching_to_it_finds_the_engine_by_itself(server: Server) -> None:
    with helpers.attach(server.url) as attached:
        assert (attached.engine, attached.model) == (server.engine, server.model)


def test_it_is_measured_under_load_with_its_own_counters(server: Server) -> None:
    run = measure(server, unique_prompts(64, 16), ClosedLoop(4), 16, warmup=4)
    assert [record.error for record in run.records] == [""] * 16
    assert run.metrics.peak_in_flight == 4
    assert run.metrics.output_tokens_per_s > 0
    if server.engine != "ollama":  # which has no way to go on after the end
        assert {record.usage.output_tokens for record in run.records} == {16}
    if server.engine in COUNTED:
        before, after = run.counters["before"], run.counters["after"]
        assert after["output_tokens_total"] - before["output_tokens_total"] >= 16 * 16
        assert after["prompt_tokens_total"] > before["prompt_tokens_total"]
        assert after["requests_running"] == 0


def test_a_prompt_that_is_too_long_is_refused_or_cut_and_the_next_is_served(server: Server) -> None:
    try:
        long = server.chat("word " * 3000, max_tokens=4)
    except EngineFailed:
        pass
    else:
        assert (long.usage.prompt_tokens or 0) <= 1024
    assert server.chat(QUESTION, max_tokens=4).usage.output_tokens


def test_stopping_leaves_no_container_port_or_ticket(server: Server) -> None:
    """The last one: it ends what the others share."""
    assert server.plan is not None
    name = container_of(server.plan)
    server.stop()
    assert not name or name not in containers()
    assert is_free(server.plan.port)
    assert [t for t in lease.tickets() if t.pid == os.getpid()] == []
