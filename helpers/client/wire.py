"""HTTP/1.1 on raw asyncio: a connection that stamps each read and keeps its bytes.

What a response says is not looked at here beyond its framing: while streams are open, reading is all that is
done, because whatever else the event loop does then is added to the times that it measures. `helpers.client.answers`
makes a record of the kept bytes later.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import httptools

from helpers.errors import UsageError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go: `base` is the path that the API's own paths are added to, such as /v1."""

    host: str
    port: int
    base: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Read a URL, with or without /v1.

        Raises:
            UsageError: it is no http(s) URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r} is no URL", str(error), "give one like http://127.0.0.1:8000/v1") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no http(s) URL", "", "give one like http://127.0.0.1:8000/v1")
        tls = parts.scheme == "https"
        base = parts.path.rstrip("/")
        return cls(parts.hostname, port or (443 if tls else 80), base or "/v1", tls)

    @property
    def authority(self) -> str:
        """host:port as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def root(self) -> str:
        """What stands before /v1: where /tokenize and /health are."""
        return self.base.removesuffix("/v1")

    def encode(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """The bytes of one request; built before the load starts."""
        fields = {
            "Host": self.authority,
            "Accept": "text/event-stream, application/json",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "spark-inference-course",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass(slots=True)
class Exchange:
    """One request on the wire and the raw answer; times are `time.perf_counter` seconds.

    Attributes:
        reads: (time, bytes) per piece of the body; pieces with one time came out of one socket read.
        failure: why the answer did not end as HTTP says it should; empty if it did.
        given_up: the client ended it (time-out, stop), not the server.
        unanswered: the server closed the connection before the first byte of an answer.
    """

    request_id: str
    scheduled_s: float
    sent_s: float | None = None
    reads: list[tuple[float, bytes]] = field(default_factory=list)
    status: int | None = None
    done_s: float | None = None
    failure: str = ""
    given_up: bool = False
    unanswered: bool = False

    @property
    def body(self) -> bytes:
        """The whole body as received."""
        return b"".join(piece for _, piece in self.reads)


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, closed: Callable[["Connection"], None]) -> None:
        self.loop = loop
        self.closed = closed
        self.idle_since_s = 0.0
        self.used = False
        self.transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._finished: asyncio.Future[None] | None = None
        self._read_s = 0.0
        self._framed = False
        self._body_started = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, exchange: Exchange) -> "asyncio.Future[None]":
        """Write a request; the future ends with the answer, whole or broken (see `exchange.failure`)."""
        assert self.transport is not None
        self._exchange = exchange
        self.used = True
        self._parser = httptools.HttpResponseParser(self)
        self._framed = self._body_started = False
        self._finished = self.loop.create_future()
        exchange.sent_s = perf_counter()
        self.transport.write(request)
        return self._finished

    def data_received(self, data: bytes) -> None:
        """asyncio: stamp first, then only the framing."""
        self._read_s = perf_counter()
        if self._parser is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._finish(f"the answer is not HTTP/1.1: {error}")
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: does the answer say where it ends?"""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """httptools: the status is known."""
        if self._exchange is not None and self._parser is not None:
            self._exchange.status = self._parser.get_status_code()
            self._body_started = True

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        if self._exchange is not None:
            self._exchange.reads.append((self._read_s, body))

    def on_message_complete(self) -> None:
        """httptools: the answer has ended where it said it would."""
        if self._exchange is not None and (self._exchange.status or 0) >= 200:
            keep = self._parser is not None and self._parser.should_keep_alive()
            self._finish("")
            if not keep:
                self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the other side is gone."""
        self._read_s = perf_counter()
        if self._exchange is not None:
            if exc is None and self._body_started and not self._framed:
                self._finish("")
            else:
                self._exchange.unanswered = not self._body_started
                when = "after part of the answer" if self._body_started else "before any answer"
                self._finish(f"connection closed by the server {when}" + (f" ({exc})" if exc else ""))
        self.transport = None
        self.closed(self)

    def abort(self) -> None:
        """Close at once; the server sees its client gone."""
        if self.transport is not None:
            self.transport.abort()

    def give_up(self, failure: str) -> None:
        """End the exchange from our side and close."""
        self._read_s = perf_counter()
        if self._exchange is not None:
            self._exchange.given_up = True
        self._finish(failure)
        self.abort()

    def _finish(self, failure: str) -> None:
        exchange, finished = self._exchange, self._finished
        self._exchange = self._finished = self._parser = None
        if exchange is not None:
            exchange.failure = failure
            exchange.done_s = self.idle_since_s = self._read_s
        if finished is not None and not finished.done():
            finished.set_result(None)
