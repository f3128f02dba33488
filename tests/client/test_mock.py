"""The mock server: what it answers, when, and what it remembers."""

import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from helpers.client.mock import Faults, MockConfig, MockServer
from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.config import ROOT
from helpers.errors import EngineFailed, UsageError


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.02, gap_s=0.004, output_tokens=6) as server:
        yield server


def post(mock: MockServer, path: str, **payload: Any) -> Any:
    return ask(Endpoint.parse(mock.url), "POST", path, payload)


def get(mock: MockServer, path: str) -> Any:
    return ask(Endpoint.parse(mock.url), "GET", path)


def chat(mock: MockServer, **payload: Any) -> Any:
    return post(mock, "/v1/chat/completions", messages=[{"role": "user", "content": "a b c"}], **payload)


def test_a_plain_answer(mock: MockServer):
    answer = chat(mock).value
    assert answer["choices"][0]["message"]["content"] == "tokens leave here one by one"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] == 3 + 4
    assert answer["usage"]["completion_tokens"] == 6


def test_output_length_follows_max_tokens_and_ignore_eos(mock: MockServer):
    def lengths(**payload: Any) -> tuple[int, str]:
        answer = chat(mock, **payload).value
        return answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]

    assert lengths(max_tokens=2) == (2, "length")
    assert lengths(max_tokens=10) == (6, "stop")
    assert lengths(max_tokens=10, ignore_eos=True) == (10, "length")


def test_a_completion(mock: MockServer):
    answer = post(mock, "/v1/completions", prompt="a b", max_tokens=1).value
    assert (answer["choices"][0]["text"], answer["usage"]["prompt_tokens"]) == ("tokens", 2)


def test_usage_is_streamed_only_when_asked_for(mock: MockServer):
    assert b'"usage"' not in chat(mock, stream=True).body
    assert b'"usage"' in chat(mock, stream=True, stream_options={"include_usage": True}).body


def test_the_other_paths(mock: MockServer):
    assert get(mock, "/health").value == {"status": "ok"}
    assert get(mock, "/v1/models").value["data"][0]["id"] == "mock"
    assert len(post(mock, "/tokenize", content="a b c").value["tokens"]) == 3
    assert b"llamacpp:requests_processing 0" in get(mock, "/metrics").body
    missing = get(mock, "/nothing")
    assert (missing.status, missing.value["error"]["message"]) == (404, "the mock server has no /nothing")


def test_a_body_that_is_no_json():
    with MockServer() as server:
        endpoint = Endpoint.parse(server.url)
        request = endpoint.encode("POST", "/v1/chat/completions", b"{broken", {"Connection": "close"})
        with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as connection:
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_the_truth_keeps_the_schedule(mock: MockServer):
    mock.reset()
    chat(mock, stream=True)
    (request,) = mock.truth().requests
    assert (request.outcome, request.tokens, len(request.writes_s)) == ("ok", 6, 6)
    # Never early by more than the loop's timer resolution of a millisecond; late as the machine is busy.
    assert request.ttft_s > 0.019
    assert request.writes_s[-1] - request.received_s > 0.02 + 5 * 0.004 - 0.001
    mock.reset()
    assert mock.truth().requests == []


def test_a_client_that_leaves_is_seen(mock: MockServer):
    mock.reset()
    endpoint = Endpoint.parse(mock.url)
    body = json.dumps({"messages": [], "stream": True, "max_tokens": 1000, "ignore_eos": True}).encode()
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as connection:
        connection.sendall(endpoint.encode("POST", "/v1/chat/completions", body, {}))
        connection.recv(100)
    deadline_s = time.monotonic() + 10
    while mock.truth().requests[0].outcome == "open" and time.monotonic() < deadline_s:
        time.sleep(0.01)
    (request,) = mock.truth().requests
    assert request.outcome == "cancelled"
    assert request.tokens < 1000


def test_slots_make_requests_wait():
    with MockServer(ttft_s=0.2, gap_s=0.0, output_tokens=1, slots=1) as server, ThreadPoolExecutor(3) as clients:
        assert all(answer.status == 200 for answer in clients.map(lambda _: chat(server), range(3)))
        truth = server.truth()
    assert truth.peak_in_flight == 3
    writes = sorted(request.writes_s[0] for request in truth.requests)
    assert all(later - earlier > 0.199 for earlier, later in itertools.pairwise(writes))


def test_faults_are_drawn_by_their_seed():
    def outcomes(seed: int) -> list[int]:
        with MockServer(ttft_s=0, gap_s=0, output_tokens=1, faults=Faults(seed=seed, error_rate=0.5)) as server:
            return [chat(server).status for _ in range(20)]

    first = outcomes(1)
    assert set(first) == {200, 500}
    assert outcomes(1) == first != outcomes(2)


def test_unknown_options_are_refused():
    with pytest.raises(UsageError, match="no option 'ttft'"):
        MockServer(ttft=0.05)
    with pytest.raises(UsageError, match="no option 'drop'"):
        MockServer(faults={"drop": 1})
    with pytest.raises(UsageError):
        MockConfig.from_json({"output_tokens": 0})


def test_a_taken_port_is_an_error(mock: MockServer, capfd: pytest.CaptureFixture[str]):
    port = Endpoint.parse(mock.url).port
    with pytest.raises(EngineFailed, match="mock server did not start"):
        MockServer(port=port).start()
    assert "address already in use" in capfd.readouterr().err


def test_the_process_ends_with_the_block():
    with MockServer() as server:
        process = psutil.Process(server.pid)
    assert not process.is_running()


def test_the_process_ends_when_its_starter_is_killed():
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\nfrom helpers.client.mock import MockServer\n"
            "server = MockServer().start()\nprint(server.pid, flush=True)\ntime.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert starter.stdout is not None
    process = psutil.Process(int(starter.stdout.readline()))
    starter.kill()
    starter.wait()
    starter.stdout.close()
    process.wait(10)
