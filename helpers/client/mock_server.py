"""The mock server itself: HTTP on raw asyncio, one clock for all streams, and the book of what really happened.

    /health  /v1/models  /v1/chat/completions  /v1/completions  /tokenize  /metrics     as an engine has them
    GET /truth   POST /reset                                                            what was recorded

All tokens of all streams wait in one heap with one timer: a timer per token would cost more than the tokens.
"""

import asyncio
import heapq
from collections import deque
from dataclasses import asdict
from time import perf_counter
from typing import Any, cast

import httptools
import orjson

from helpers.client.mock import MockConfig
from helpers.client.mock_answering import Answering
from helpers.client.mock_words import Script

KEPT_REQUESTS = 20_000

FOREIGN_PAGE = b"<!doctype html><title>It works!</title><p>This is another kind of server."


class Mock:
    """What all connections share: configuration, schedule, book."""

    def __init__(self, config: MockConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.loop = loop
        self.script = Script(config.model)
        self.reset()
        self.in_flight = 0
        self.connections = 0
        self.served = 0
        self.output_tokens = 0
        self.prompt_tokens = 0
        self._working = 0
        self._waiting: deque[Answering] = deque()
        self._due: list[tuple[float, int, Answering]] = []
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    def reset(self) -> None:
        """Start the book anew."""
        self.book: deque[Answering] = deque(maxlen=KEPT_REQUESTS)
        self.peak_in_flight = 0

    def begin(self, answering: "Answering") -> None:
        """A request has been read: enter it, and start it if there is a slot."""
        self.book.append(answering)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        if self.config.slots and self._working >= self.config.slots:
            self._waiting.append(answering)
        else:
            self._start(answering)

    def end(self, answering: "Answering", outcome: str) -> None:
        """A request has ended; the next one that waits gets its slot."""
        if answering.outcome != "open":
            return
        answering.outcome = outcome
        self.in_flight -= 1
        self.served += 1
        self.output_tokens += answering.written
        self.prompt_tokens += answering.prompt_tokens
        if answering in self._waiting:
            self._waiting.remove(answering)
            return
        self._working -= 1
        if self._waiting:
            self._start(self._waiting.popleft())

    def _start(self, answering: "Answering") -> None:
        self._working += 1
        answering.due_s = (perf_counter() if self.config.slots else answering.received_s) + self.config.ttft_s
        self._schedule(answering)
        self._arm()

    def _schedule(self, answering: "Answering") -> None:
        self._number += 1
        heapq.heappush(self._due, (answering.due_s, self._number, answering))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._due:
            self._timer = self.loop.call_later(max(0.0, self._due[0][0] - perf_counter()), self._write_due)

    def _write_due(self) -> None:
        # One fixed limit, so that requests are read between rounds however late the writing is.
        now_s = perf_counter()
        while self._due and self._due[0][0] <= now_s:
            answering = heapq.heappop(self._due)[2]
            if answering.outcome == "open" and answering.step():
                self._schedule(answering)
        self._arm()

    def truth(self) -> dict[str, Any]:
        """The book, JSON-ready."""
        return {
            "requests": [asdict(entry.truth()) for entry in self.book],
            "peak_in_flight": self.peak_in_flight,
            "connections": self.connections,
        }

    def metrics(self) -> str:
        """Prometheus text under llama.cpp's names."""
        values = {
            "requests_processing": self._working,
            "requests_deferred": len(self._waiting),
            "prompt_tokens_total": self.prompt_tokens,
            "tokens_predicted_total": self.output_tokens,
        }
        return "".join(f"llamacpp:{name} {value}\n" for name, value in values.items())


class MockConnection(asyncio.Protocol):
    """One client's connection: requests in, one at a time."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.answering: Answering | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self._request_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self.mock.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client has left; what it waited for stops."""
        self._transport = None
        if self.answering is not None:
            self.mock.end(self.answering, "cancelled")

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes of a request."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reply_error(400, "not HTTP")
            self.close()

    def on_message_begin(self) -> None:
        """httptools: a new request."""
        self._url, self._body, self._request_id = b"", [], ""

    def on_url(self, url: bytes) -> None:
        """httptools: its path."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header; only the request's own id matters."""
        if name.lower() == b"x-request-id":
            self._request_id = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole. Stamp it; it is looked at when all sockets have been read."""
        self.mock.loop.call_soon(self._handle, perf_counter())

    def _handle(self, received_s: float) -> None:
        path = self._url.split(b"?")[0].decode("latin-1")
        if self.mock.config.faults.foreign and path not in ("/truth", "/reset"):
            self._reply(200, b"text/html", FOREIGN_PAGE)
            return
        try:
            request = orjson.loads(b"".join(self._body) or b"{}")
        except orjson.JSONDecodeError as error:
            self.reply_error(400, f"the body is no JSON: {error}")
            return
        if not isinstance(request, dict):
            self.reply_error(400, "the body is no JSON object")
            return
        self._route(path, request, received_s)

    def _route(self, path: str, request: dict[str, Any], received_s: float) -> None:
        if path in ("/v1/chat/completions", "/v1/completions"):
            if self._transport is None:
                return  # the client left before its request was looked at
            self.answering = Answering(self, request, path.startswith("/v1/chat"), self._request_id, received_s)
            self.mock.begin(self.answering)
        elif path == "/v1/models":
            self.reply_json({"object": "list", "data": [{"id": self.mock.config.model, "object": "model"}]})
        elif path == "/health":
            self.reply_json({"status": "ok"})
        elif path == "/tokenize":
            self.reply_json({"tokens": list(range(len(str(request.get("content", "")).split())))})
        elif path == "/metrics":
            self._reply(200, b"text/plain; version=0.0.4", self.mock.metrics().encode())
        elif path == "/truth":
            self.reply_json(self.mock.truth())
        elif path == "/reset":
            self.mock.reset()
            self.reply_json({})
        else:
            self.reply_error(404, f"the mock server has no {path}")

    def write(self, data: bytes) -> None:
        """Send bytes, if the client is still there."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.close()

    def reply_json(self, value: object) -> None:
        """A whole answer of status 200."""
        self._reply(200, b"application/json", orjson.dumps(value))

    def reply_error(self, status: int, message: str) -> None:
        """An error in OpenAI's form."""
        body = orjson.dumps({"error": {"message": message, "type": "mock_error", "code": status}})
        self._reply(status, b"application/json", body)

    def _reply(self, status: int, kind: bytes, body: bytes) -> None:
        self.write(
            b"HTTP/1.1 %d Answer\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, kind, len(body), body)
        )
