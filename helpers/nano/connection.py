"""HTTP for one client: requests in, whole answers or streams of events out, on raw asyncio and httptools.

A web framework would take longer for a token's event than this engine takes for the token.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import httptools
import orjson

from helpers.errors import CourseError

MOST_BODY_BYTES = 8 * 2**20
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 405: b"Method Not Allowed", 413: b"Content Too Large"}
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class Handler(Protocol):
    """Who answers requests."""

    def handle(self, connection: "Connection", method: str, path: str, query: str, body: bytes) -> None:
        """Answer now (`reply`), or later (`start_stream`, `reply`); a CourseError becomes an answer of status 400."""


class Connection(asyncio.Protocol):
    """One client's connection; its requests are answered one after the other.

    Attributes:
        on_left: called when the client leaves before its answer is complete.
    """

    def __init__(self, handler: Handler) -> None:
        self.on_left: Callable[[], None] | None = None
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._waiting: deque[tuple[str, bytes, bytes, bool]] = deque()
        self._busy = False
        self._keep_alive = True

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a client is there."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client has left."""
        self._transport = None
        self._waiting.clear()
        if self.on_left is not None:
            self.on_left()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes of a request."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400, "this is not HTTP")

    def on_message_begin(self) -> None:
        """httptools: a new request."""
        self._url, self._body, self._body_bytes = b"", [], 0

    def on_url(self, url: bytes) -> None:
        """httptools: its path."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes <= MOST_BODY_BYTES:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if self._body_bytes > MOST_BODY_BYTES:
            self._refuse(413, f"a request may have at most {MOST_BODY_BYTES} bytes")
            return
        method = self._parser.get_method().decode("ascii")
        self._waiting.append((method, self._url, b"".join(self._body), self._parser.should_keep_alive()))
        self._next()

    def reply(self, value: object, status: int = 200) -> None:
        """A whole answer: JSON."""
        self.reply_bytes(orjson.dumps(value), b"application/json", status)

    def reply_error(self, status: int, message: str) -> None:
        """An error in OpenAI's form."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.reply({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)

    def reply_bytes(self, body: bytes, kind: bytes, status: int = 200) -> None:
        """A whole answer of another kind."""
        reason = REASONS.get(status, b"Error")
        head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (status, reason, kind, len(body))
        self._write(head + (b"\r\n" if self._keep_alive else b"Connection: close\r\n\r\n") + body)
        self._end()

    def start_stream(self) -> None:
        """The head of a stream of events."""
        self._write(STREAM_HEAD)

    def send_events(self, values: list[Any], *, last: bool = False) -> None:
        """Events of a stream, in one write; with `last` the stream ends behind them."""
        events = [b"data: %s\n\n" % orjson.dumps(value) for value in values]
        if last:
            events.append(b"data: [DONE]\n\n")
        data = b"".join(events)
        self._write((b"%x\r\n%s\r\n" % (len(data), data)) + (b"0\r\n\r\n" if last else b""))
        if last:
            self._end()

    def _next(self) -> None:
        while self._waiting and not self._busy:
            method, url, body, self._keep_alive = self._waiting.popleft()
            path, _, query = url.decode("latin-1").partition("?")
            self._busy = True
            try:
                self._handler.handle(self, method, path, query, body)
            except CourseError as error:
                self.reply_error(400, " ".join(filter(None, (error.what, error.cause))))

    def _end(self) -> None:
        self.on_left = None
        self._busy = False
        if not self._keep_alive and self._transport is not None:
            self._transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

    def _refuse(self, status: int, message: str) -> None:
        """Nothing that follows on this connection can be understood."""
        self._keep_alive = False
        if not self._busy:
            self.reply_error(status, message)
        elif self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
