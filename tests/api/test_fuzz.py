"""Whatever is sent, the gateway answers or closes; it never fails by itself, and it goes on."""

import json
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from helpers.api.app import create_app
from helpers.api.settings import Limits, Settings, UpstreamSettings
from tests.api.gateways import ASK, Gateway, gateway
from tests.api.test_ollama import engine
from tests.api.upstreams import upstream

BODIES = 400
"""Random requests of each kind; a benchmark raises it."""

EXAMPLES = 12
"""Requests that schemathesis makes for each operation; a benchmark raises it."""

PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/api/chat",
    "/api/generate",
    "/api/show",
    "/api/pull",
)

described = schemathesis.openapi.from_dict(
    create_app(Settings((UpstreamSettings("m", ("http://127.0.0.1:9",)),), database="sqlite://")).openapi()
)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with (
        upstream(engine) as behind,
        gateway(tmp_path_factory.mktemp("fuzz"), behind.url, limits=Limits(max_body_bytes=100_000)) as front,
    ):
        yield front


@described.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_described_api_never_fails_by_itself(case: schemathesis.Case, front: Gateway) -> None:
    response = case.call(base_url=front.root, timeout=30)
    assert response.status_code < 500 or response.status_code in (501, 502), response.text
    if response.status_code == 502:
        # The test's engine fails at what real ones refuse; that it did is what the gateway must say.
        assert "engine" in response.text


def random_json(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.randrange(9 if depth else 6)
    if kind == 6:
        return [random_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind >= 7:
        names = ["model", "messages", "stream", "options", "tools", "images", "content", "role", "x", "\u00e9"]
        return {rng.choice(names): random_json(rng, depth - 1) for _ in range(rng.randrange(4))}
    return [None, True, rng.randrange(-5, 10**20), rng.random() * 1e300, "mock", "\ud83d\ude00" * rng.randrange(3)][
        kind
    ]


def test_random_bodies_get_an_answer_each(front: Gateway) -> None:
    rng = random.Random(5)
    fields = [
        "messages",
        "prompt",
        "input",
        "stream",
        "n",
        "max_tokens",
        "options",
        "tools",
        "stream_options",
        "format",
    ]
    with front.client() as client:
        for number in range(BODIES):
            body = {"model": "mock", **ASK, **{rng.choice(fields): random_json(rng) for _ in range(3)}}
            content = json.dumps(body).encode() if number % 2 else rng.randbytes(rng.randrange(300))
            answer = client.post(rng.choice(PATHS), content=content)
            assert answer.status_code < 500 or answer.status_code in (501, 502), (body, answer.text)
    assert front.chat().status_code == 200


def test_random_bytes_on_the_wire_break_nothing(front: Gateway) -> None:
    rng = random.Random(6)
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\nX-Y: z\r\n\r\n" + b"{" * 30
    )
    for number in range(BODIES):
        data = bytearray(request)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with socket.create_connection(("127.0.0.1", int(front.root.rsplit(":", 1)[1])), timeout=5) as connection:
            connection.sendall(bytes(data) if number % 4 else rng.randbytes(200))
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(200)
            assert not answer or int(answer.split(b" ")[1]) < 500, (bytes(data), answer)
    assert front.chat().status_code == 200
    assert (front.state.running, front.state.queue.in_flight) == (0, 0)
