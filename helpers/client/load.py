"""The measuring client: many streams at once to one OpenAI-compatible server.

    requests -> closed_loop | open_loop -> Exchange (raw bytes, time stamps) -> RequestRecord

Nothing that goes wrong with one request is raised: it is in that request's record. Every request is bounded by the
connect and total time-outs, so a load always ends. Answers are parsed in the pauses of reading, one at a time.
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson

from helpers.client.answers import read_answer
from helpers.client.pool import Pool, describe_failure
from helpers.client.records import RequestRecord
from helpers.client.wire import Endpoint, Exchange

SETTLE_S = 0.05
"""Pause after opening the connections of a closed loop. The kernel says they stand before the server has accepted
them, and a client cannot see when it has; without the pause the first TTFTs hold that work."""

STREAM_GAP_S = 0.001
"""The streams of a closed loop begin this far apart. Streams in step stay in step: their chunks would arrive in one
burst each time, and the last one read would seem late. Measured beside the mock server with 64 streams: TTFT p50 wrong
by 0.1 ms instead of 0.5 to 4 ms."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """A request as the bytes that go out, made before the load starts."""

    request_id: str
    data: bytes


class LoadClient:
    """Connections to one server. Use it inside one event loop and `close` it there.

    Args:
        url: with or without /v1.
        api_key: bearer token; empty for none.
        connect_timeout_s: bound on making one connection.
        timeout_s: bound on one request, from the connection's being wanted to the end of the answer.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self, url: str, *, api_key: str = "", connect_timeout_s: float = 10.0, timeout_s: float = 600.0
    ) -> None:
        self.endpoint = Endpoint.parse(url)
        self.timeout_s = timeout_s
        self.pool = Pool(self.endpoint, connect_timeout_s)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def encode(self, request_id: str, path: str, payload: dict[str, Any]) -> EncodedRequest:
        """A streaming request to an API path such as /chat/completions, with usage asked for."""
        body = orjson.dumps({**payload, "stream": True, "stream_options": {"include_usage": True}})
        headers = {**self._headers, "X-Request-Id": request_id}
        return EncodedRequest(request_id, self.endpoint.encode("POST", self.endpoint.base + path, body, headers))

    async def send(self, request: EncodedRequest, scheduled_s: float | None = None) -> Exchange:
        """Send one request and wait for the end of its answer, whole or broken.

        Args:
            request: what to send.
            scheduled_s: when the load shape wanted it sent (perf_counter); None: when it is sent.
        """
        deadline_s = (scheduled_s or perf_counter()) + self.timeout_s
        exchange, connection_used = await self._try(request, scheduled_s, deadline_s)
        if exchange.unanswered and connection_used:
            # Closing a kept connection crosses with our writing: the request was not read, and goes out once more
            # (RFC 9112, 9.3.1). A fresh connection that is closed unanswered is the server's error.
            self.pool.keeps = False
            exchange, _ = await self._try(request, scheduled_s, deadline_s)
        return exchange

    async def _try(
        self, request: EncodedRequest, scheduled_s: float | None, deadline_s: float
    ) -> tuple[Exchange, bool]:
        """One attempt, and whether its connection had been used before."""
        exchange = Exchange(request.request_id, scheduled_s or perf_counter())
        try:
            connection = await self.pool.take()
        except OSError as error:
            exchange.failure = describe_failure(error, self.endpoint, self.pool.connect_timeout_s)
            exchange.done_s = perf_counter()
            return exchange, False
        used = connection.used
        finished = connection.send(request.data, exchange)
        if scheduled_s is None and exchange.sent_s is not None:
            exchange.scheduled_s = exchange.sent_s
        # A plain timer: asyncio.timeout would cost a task wake-up per request more.
        timer = asyncio.get_running_loop().call_later(
            deadline_s - perf_counter(), connection.give_up, f"no end of the answer within {self.timeout_s:g} s"
        )
        try:
            await finished
        except asyncio.CancelledError:
            connection.give_up("stopped by the client")
            raise
        finally:
            timer.cancel()
        self.pool.give(connection)
        return exchange, used

    async def close(self) -> None:
        """Close all connections."""
        self.pool.close()
        await asyncio.sleep(0)  # the transports report their end in the loop's next turn


class Recorder:
    """Parses ended exchanges one by one and hands each record on as it is made."""

    def __init__(self, zero_s: float, on_record: Callable[[RequestRecord], None]) -> None:
        self.zero_s = zero_s
        self.put: Callable[[Exchange | None], None]
        self._queue: asyncio.Queue[Exchange | None] = asyncio.Queue()
        self.put = self._queue.put_nowait
        self._on_record = on_record
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while (exchange := await self._queue.get()) is not None:
            self._on_record(await read_answer(exchange, self.zero_s))
            # Give reading a turn before the next answer is parsed.
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """Wait until everything put in so far has become a record."""
        self.put(None)
        await asyncio.shield(self._task)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python's cycle collector out of the measurement: in a notebook with a large heap it stops everything for
    tens of milliseconds. Records hold no cycles, so nothing piles up meanwhile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def closed_loop(
    client: LoadClient,
    requests: Sequence[EncodedRequest],
    concurrency: int,
    on_record: Callable[[RequestRecord], None],
) -> None:
    """Keep `concurrency` requests in flight until all are sent: each stream sends when its last answer has ended.

    The streams begin one after the other, `STREAM_GAP_S` apart; those still to begin do so at once when the first
    answer ends, and all begin at once where each has a single request, so that the concurrency is reached.
    """
    streams = min(concurrency, len(requests))
    await client.pool.open(streams)
    await asyncio.sleep(SETTLE_S)
    waiting = iter(requests)
    gap_s = STREAM_GAP_S if len(requests) > streams else 0.0
    an_answer_ended = asyncio.Event()

    async def stream(number: int) -> None:
        if number and gap_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(an_answer_ended.wait(), number * gap_s)
        for request in waiting:
            recorder.put(await client.send(request))
            an_answer_ended.set()

    with no_collection():
        recorder = Recorder(perf_counter(), on_record)
        await _gather([stream(number) for number in range(streams)], recorder)


async def open_loop(
    client: LoadClient,
    requests: Sequence[EncodedRequest],
    times_s: Sequence[float],
    on_record: Callable[[RequestRecord], None],
) -> None:
    """Send each request at its own time, whether or not earlier ones have been answered.

    Args:
        client: an open client.
        requests: as many as `times_s`.
        times_s: when each is to be sent, from the start, ascending.
        on_record: called with each record, in the order of the answers' ends.
    """

    async def at_its_time(request: EncodedRequest, due_s: float) -> None:
        # Late is measured, not hidden: the record keeps scheduled_s and sent_s.
        while (left_s := due_s - perf_counter()) > 0:
            await asyncio.sleep(left_s)  # may wake half a millisecond early: uvloop's timers are whole milliseconds
        recorder.put(await client.send(request, due_s))

    with no_collection():
        recorder = Recorder(perf_counter(), on_record)
        zero_s = recorder.zero_s
        await _gather(
            [at_its_time(request, zero_s + time_s) for request, time_s in zip(requests, times_s, strict=True)], recorder
        )


async def _gather(streams: list[Coroutine[Any, Any, None]], recorder: Recorder) -> None:
    """Run the streams to their end; what had ended when the load is cancelled still becomes a record."""
    tasks = [asyncio.create_task(stream) for stream in streams]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await recorder.finish()
