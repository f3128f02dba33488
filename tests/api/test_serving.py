"""Limits, keys, queue and bad requests as clients meet them; metrics as Prometheus does."""

import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from helpers.api.settings import Limits, Timeouts
from helpers.client.mock import MockServer
from tests.api.gateways import ASK, Gateway, gateway, until
from tests.api.upstreams import Reply, Sent, completion, upstream


async def quick(sent: Sent, reply: Reply) -> None:
    await reply.whole(completion("yes"))


def test_keys_are_required_work_at_once_and_end_when_they_are_revoked(tmp_path: Path) -> None:
    with upstream(quick) as engine, gateway(tmp_path, engine.url, keys_required=True) as front:
        for path in ("/v1/models", "/metrics", "/api/tags", "/v1/models/mock"):
            assert front.get(path).status_code == 401
        assert front.chat().status_code == 401
        assert front.get("/health").status_code == 200
        text = front.state.ledger.database.add_key("alice")
        key = {"authorization": f"Bearer {text}"}
        until(lambda: front.get("/v1/models", **key).status_code == 200)
        body = json.dumps(ASK).encode()
        assert front.post("/v1/chat/completions", body, **key).status_code == 200
        assert "Authorization" not in front.post("/api/chat", body, **key).text
        until(lambda: front.state.ledger.database.list_keys()[0]["requests"] == 2)
        assert 'key="alice"' in front.get("/metrics", **key).text
        front.state.ledger.database.revoke_key("alice")
        until(lambda: front.get("/v1/models", **key).status_code == 401)


def test_too_many_requests_of_a_key_get_429_and_when_to_return(tmp_path: Path) -> None:
    with upstream(quick) as engine, gateway(tmp_path, engine.url, limits=Limits(requests_per_minute=2)) as front:
        assert [front.chat().status_code for _ in range(3)] == [200, 200, 429]
        refused = front.chat()
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 30


def test_a_burst_runs_waits_or_is_refused_but_never_fails(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.1, gap_s=0, output_tokens=2) as mock,
        gateway(tmp_path, mock.url, limits=Limits(max_in_flight=2, max_waiting=4)) as front,
        ThreadPoolExecutor(12) as pool,
    ):
        start = threading.Barrier(12)

        def ask() -> Any:
            start.wait()
            return front.chat()

        answers = [future.result() for future in [pool.submit(ask) for _ in range(12)]]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert sum(answer.status_code == 200 for answer in answers) >= 6
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
        assert mock.truth().peak_in_flight == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", b"\xff\xfe", 400),
        ("/v1/chat/completions", b"", 400),
        ("/v1/chat/completions", b'{"model": "mock"}', 400),
        ("/v1/embeddings", b'{"model": "mock"}', 400),
        ("/api/chat", b"[1]", 400),
        ("/api/show", b'{"model": 5}', 400),
        ("/api/pull", b'{"model": "x"}', 501),
        ("/api/blobs/sha256:0", b"abc", 501),
        ("/v1/nowhere", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_bad_requests_get_json_errors(bad: Gateway, path: str, body: bytes, status: int) -> None:
    answer = bad.post(path, body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert isinstance(error, str if path.startswith("/api/") else dict)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Any:
    limits, timeouts = Limits(max_body_bytes=100_000), Timeouts(receive_s=1.0)
    with (
        upstream(quick) as engine,
        gateway(tmp_path_factory.mktemp("bad"), engine.url, limits=limits, timeouts=timeouts) as front,
    ):
        yield front


def test_methods_that_a_path_does_not_have(bad: Gateway) -> None:
    assert bad.get("/v1/chat/completions").status_code == 405
    assert bad.get("/api/generate").json()["error"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_ten_megabytes_is_refused_and_the_connection_lives_on(bad: Gateway, declared: bool) -> None:
    body = b" " * 10_000_000
    with bad.client() as client:
        content = body if declared else (body[:65536] for _ in range(160))
        answer = client.post("/v1/chat/completions", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
        assert client.post("/api/show", content=body).status_code == 413


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/chat/compl",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
    ],
)
def test_a_client_that_does_not_finish_its_request_is_cut_off(bad: Gateway, beginning: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(bad.root.rsplit(":", 1)[1])), timeout=10) as slow:
        slow.sendall(beginning)
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1000) == b""
    assert bad.chat().status_code == 200


def test_headers_without_end_are_cut_off(bad: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", int(bad.root.rsplit(":", 1)[1])), timeout=10) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\nX-Filler: ")
        with pytest.raises(ConnectionError):
            endless.sendall(b"x" * 20_000_000)
    assert bad.chat().status_code == 200


IDLE = 200
"""Connections that say nothing; a benchmark raises it."""


def test_idle_connections_cost_nobody_anything(tmp_path: Path) -> None:
    with upstream(quick) as engine, gateway(tmp_path, engine.url) as front:
        port = int(front.root.rsplit(":", 1)[1])
        with contextlib.ExitStack() as idle:
            for _ in range(IDLE):
                idle.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert front.chat().status_code == 200
        assert front.chat().status_code == 200


def test_metrics_are_what_prometheus_reads_and_name_every_cause(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.002, gap_s=0.1, output_tokens=4) as mock,
        gateway(tmp_path, mock.url) as front,
    ):
        front.chat(stream=True)
        front.chat()
        front.chat(model="none")
        families = {family.name: family for family in text_string_to_metric_families(front.get("/metrics").text)}
        requests = {s.labels["outcome"]: s.value for s in families["gateway_requests"].samples}
        assert requests == {"ok": 2, "model_not_found": 1}
        tokens = {s.labels["kind"]: s.value for s in families["gateway_tokens"].samples}
        assert (tokens["output"], tokens["prompt"] > 0) == (8, True)
        counts = {
            name: sum(s.value for s in families[f"gateway_{name}_seconds"].samples if s.name.endswith("_count"))
            for name in ("ttft", "itl", "e2e")
        }
        assert (counts["ttft"], counts["e2e"]) == (1, 2)
        assert counts["itl"] >= 1
        up = families["gateway_upstream_up"].samples[0]
        assert (up.labels["upstream"], up.value) == ("m", 1)


def test_an_unknown_model_is_no_new_label(tmp_path: Path) -> None:
    with upstream(quick) as engine, gateway(tmp_path, engine.url) as front:
        for number in range(5):
            front.chat(model=f"made-up-{number}")
        assert "made-up" not in front.get("/metrics").text


def test_the_page_and_the_description_are_there_and_cors_is_off(bad: Gateway) -> None:
    page = bad.get("/")
    assert "OpenAI API" in page.text
    described = bad.get("/openapi.json").json()
    assert {"/v1/chat/completions", "/api/chat", "/v1/models", "/metrics"} <= set(described["paths"])
    foreign = bad.post("/v1/chat/completions", ASK, origin="https://evil.example")
    assert foreign.status_code == 403
    with bad.client() as client:
        preflight = client.options("/v1/chat/completions", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in preflight.headers
