"""Speculation on an NVIDIA GPU, and the crash of a supervisor. Group `gpu`."""

import os
from collections.abc import Iterator

import psutil
import pytest

import helpers
from helpers.engines import lease
from helpers.engines.server import Server
from helpers.models.prompts import prompt_class
from tests.engines.conftest import is_gone, until
from tests.engines.endings import container_of, containers, is_free, require

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(3600)]

ENGINES = ("vllm", "sglang", "tensorrt-llm", "llama.cpp")
END_LIMIT_S = 60.0
"""`docker rm --force` of a container that holds a GPU takes seconds."""


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    require(request.param)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("COURSE_LEASES")
        options = {"speculation": "ngram", "draft_tokens": 3, "max_model_len": 1024, "max_num_seqs": 2}
        with helpers.launch(request.param, **options) as launched:
            yield launched


def test_drafts_are_accepted_and_counted(server: Server) -> None:
    for prompt in prompt_class("predictable"):
        assert server.chat(prompt, max_tokens=96, temperature=0).usage.output_tokens
    metrics = server.metrics()
    assert metrics.get("accepted_tokens_total", 0) > 0 or metrics.get("acceptance_length", 0) > 1, metrics
    if "acceptance_length" in metrics:
        assert 1 <= metrics["acceptance_length"] <= 4  # three drafts and the bonus token


def test_a_killed_supervisor_leaves_no_process_container_port_or_ticket(server: Server) -> None:
    """The last one: it ends what the others share."""
    assert server.plan is not None
    assert server.pid is not None
    name = container_of(server.plan)
    supervisor = psutil.Process(server.pid).parent()
    assert supervisor is not None
    engine = [server.pid, *(child.pid for child in psutil.Process(server.pid).children(recursive=True))]
    supervisor.kill()
    assert until(lambda: all(is_gone(pid) for pid in engine), END_LIMIT_S)
    assert until(lambda: not name or name not in containers(), END_LIMIT_S)
    assert until(lambda: is_free(server.plan.port), END_LIMIT_S)
    assert until(lambda: not [t for t in lease.tickets() if t.pid == os.getpid()], END_LIMIT_S)
