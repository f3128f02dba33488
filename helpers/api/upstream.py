"""Bytes to an upstream and back: the measuring client's connections, with a reader that is woken for every piece.

A general HTTP client would cost more per request than all the rest of the gateway; what is needed is little: send one
request, hand over pieces of the answer as they come, close at once when nobody wants the rest.
"""

import asyncio
from time import perf_counter
from typing import cast

from helpers.api.refusal import UpstreamFailure
from helpers.client import pool, wire

READ_AHEAD_BYTES = 256 * 1024
"""An upstream may be this far ahead of the client before it has to wait."""


class Connection(wire.Connection):
    """One connection, one exchange at a time; `wait_at_most` bounds every wait for the upstream."""

    exchange: wire.Exchange
    kind = b""
    retry_after_s: int | None = None
    _waiter: asyncio.Future[None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _phase, _deadline_s, _held_bytes = "", 0.0, 0

    @property
    def status(self) -> int:
        """The answer's status; 0 until its headers are there."""
        return self.exchange.status or 0

    async def begin(self, request: bytes) -> None:
        """Send a request; return when the answer's headers are there.

        Raises:
            UpstreamFailure: lost, timeout.
        """
        self.kind, self.retry_after_s = b"", None
        self.exchange = wire.Exchange("", 0.0)
        self.send(request, self.exchange)
        while self.status < 200:
            self._raise_failure()
            await self._change()

    async def read(self) -> bytes:
        """What has come of the body since the last call; waits for something; empty at the end.

        Raises:
            UpstreamFailure: lost, timeout; only after everything that did come was handed over.
        """
        reads = self.exchange.reads
        while not reads:
            if self.exchange.done_s is not None:
                self._raise_failure()
                return b""
            await self._change()
        data = reads[0][1] if len(reads) == 1 else self.exchange.body
        reads.clear()
        if self._held_bytes > READ_AHEAD_BYTES and self.transport is not None:
            self.transport.resume_reading()
        self._held_bytes = 0
        return data

    async def read_all(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            UpstreamFailure: as `read`; foreign if it is longer than `max_bytes`.
        """
        pieces, size = [], 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                raise UpstreamFailure("foreign", f"an answer of more than {max_bytes} bytes")
        return b"".join(pieces)

    def wait_at_most(self, phase: str, seconds: float) -> None:
        """From now on the upstream may take so long to send something, or the exchange fails naming the phase."""
        self._deadline_s = perf_counter() + seconds
        if phase != self._phase:
            self.wait_no_more()
            self._phase = phase
            self._timer = self.loop.call_later(seconds, self._check_deadline)

    def wait_no_more(self) -> None:
        """Nothing is expected of the upstream now."""
        self._phase = ""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """asyncio: a read may bring many pieces; their reader is woken once."""
        super().data_received(data)
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: the few headers that matter."""
        super().on_header(name, value)
        name = name.lower()
        if name == b"content-type":
            self.kind = value
        elif name == b"retry-after" and value.isdigit():
            self.retry_after_s = min(int(value), 3600)

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        super().on_body(body)
        self._held_bytes += len(body)
        if self._held_bytes > READ_AHEAD_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the other side is gone."""
        super().connection_lost(exc)
        self._wake()

    def _raise_failure(self) -> None:
        if self.exchange.failure:
            raise UpstreamFailure("timeout" if self.exchange.given_up else "lost", self.exchange.failure)

    async def _change(self) -> None:
        self._waiter = self.loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_deadline(self) -> None:
        # The deadline moves with every piece; the timer follows only when it fires, which is cheaper.
        left_s = self._deadline_s - perf_counter()
        if left_s > 0:
            self._timer = self.loop.call_later(left_s, self._check_deadline)
        else:
            self.give_up(self._phase)
            self._wake()


class Pool(pool.Pool):
    """The connections to one URL."""

    connection_type = Connection

    async def request(self, request: bytes, phase: str, limit_s: float) -> Connection:
        """Send a request; return the connection when the answer's headers are there. Give it back with `release`.

        A kept connection that turns out to be closed was closed before the request was read: the next one is tried.

        Raises:
            UpstreamFailure: connect, lost, timeout.
        """
        while True:
            try:
                connection = cast(Connection, await self.take())
            except OSError as error:  # TimeoutError is one
                why = pool.describe_failure(error, self.endpoint, self.connect_timeout_s)
                raise UpstreamFailure("connect", why) from error
            kept = connection.used
            connection.wait_at_most(phase, limit_s)
            try:
                await connection.begin(request)
                return connection
            except BaseException as ended:
                self.release(connection)
                if not (kept and connection.exchange.unanswered and isinstance(ended, UpstreamFailure)):
                    raise

    def release(self, connection: Connection) -> None:
        """Keep the connection if its exchange is complete; else close it at once: the upstream can stop working."""
        connection.wait_no_more()
        if connection.exchange.done_s is not None and not connection.exchange.failure and not connection.exchange.reads:
            self.give(connection)
        else:
            connection.abort()
