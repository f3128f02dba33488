"""Requests that are nearly right: random bodies and headers, bytes that are nearly HTTP, what a description allows."""

import http.client
import json
import random
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import HealthCheck, given, settings

PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/api/chat",
    "/api/generate",
    "/api/show",
    "/api/pull",
)
FIELDS = ("messages", "prompt", "input", "stream", "n", "max_tokens", "options", "tools", "stream_options", "format")
HEADERS = ("Accept", "Authorization", "Content-Type", "Cookie", "Expect", "Origin", "X-Api-Key", "X-Request-Id", "X-Y")
NAMES = ("model", "messages", "stream", "options", "tools", "images", "content", "role", "x", "\u00e9")

Exchanged = Iterator[tuple[object, int, bytes]]
"""(what was sent, status or 0 if the connection was closed without an answer, the answer's beginning)."""


def is_own_failure(status: int) -> bool:
    """True for a 5xx that the gateway is to blame for: not 501 (what it does not have), not 502 (the engine failed)."""
    return status >= 500 and status not in (501, 502)


def random_json(rng: random.Random, depth: int = 3) -> Any:
    """Any JSON value, lone surrogates and huge numbers included."""
    kind = rng.randrange(9 if depth else 6)
    if kind == 6:
        return [random_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind >= 7:
        return {rng.choice(NAMES): random_json(rng, depth - 1) for _ in range(rng.randrange(4))}
    plain = [None, True, rng.randrange(-5, 10**20), rng.random() * 1e300, "mock", "\ud83d\ude00" * rng.randrange(3)]
    return plain[kind]


def random_headers(rng: random.Random) -> dict[str, str]:
    """None, one or two headers of any printable words."""
    chosen = rng.sample(HEADERS, rng.choice((0, 0, 1, 2)))
    return {name: "".join(chr(rng.randrange(32, 256)) for _ in range(rng.randrange(40))) for name in chosen}


def post_randomly(root: str, count: int, seed: int, headers: Mapping[str, str] | None = None) -> Exchanged:
    """POST bodies that are JSON, with three fields of any kind, or no JSON at all, over kept connections."""
    rng = random.Random(seed)
    where = urlsplit(root)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    for number in range(count):
        body = {
            "model": "mock",
            "messages": [{"role": "user", "content": "What is a KV cache?"}],
            **{rng.choice(FIELDS): random_json(rng) for _ in range(3)},
        }
        content = json.dumps(body).encode() if number % 2 else rng.randbytes(rng.randrange(300))
        extra = {**(headers or {}), **random_headers(rng)}
        connection.request("POST", rng.choice(PATHS), content, extra)
        try:
            answer = connection.getresponse()
            yield (content, extra), answer.status, answer.read()
        except http.client.RemoteDisconnected:
            connection.close()
            yield (content, extra), 0, b""
    connection.close()


def write_randomly(root: str, count: int, seed: int, headers: str = "") -> Exchanged:
    """Write requests with a few bytes changed, and bytes that are no request, each on a connection of its own."""
    rng = random.Random(seed)
    where = urlsplit(root)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 30\r\nX-Y: z\r\n\r\n"
    request = head.encode() + b"{" * 30
    for number in range(count):
        data = bytearray(request)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        sent = bytes(data) if number % 4 else rng.randbytes(200)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            try:
                answer = connection.recv(400)
            except ConnectionResetError:  # it was cut off while bytes were still on their way to it
                answer = b""
        yield sent, int(answer.split(b" ")[1]) if answer else 0, answer


def ask_as_described(root: str, examples: int, headers: Mapping[str, str] | None = None) -> Exchanged:
    """Ask each operation of the OpenAPI description so many times, as schemathesis understands it."""
    described = schemathesis.openapi.from_url(f"{root}/openapi.json", headers=dict(headers or {}))
    for found in described.get_all_operations():
        yield from ask_operation(found.ok(), root, examples, dict(headers or {}))


def ask_operation(operation: Any, root: str, examples: int, headers: dict[str, str]) -> list[tuple[object, int, bytes]]:
    """Ask one operation; hypothesis chooses what."""
    asked: list[tuple[object, int, bytes]] = []

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=root, timeout=30, headers=headers)
        asked.append((f"{case.method} {case.path} {case.body!r}", answer.status_code, answer.content[:400]))

    ask()
    return asked
