"""One request from its first byte to its last: key, checks, limits, queue, upstream, answer, and what ends it early."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import Any

from helpers.api.calls import Call
from helpers.api.openai import Dialect, Wanted
from helpers.api.refusal import Refused, UpstreamFailure
from helpers.api.routing import Target
from helpers.api.state import State
from helpers.api.stream import Translator, engine_message

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
ELSEWHERE = frozenset({429, 500, 502, 503, 504})
"""Statuses after which another upstream may do better."""

REQUEST_ID = re.compile(rb"[\w.-]{1,64}")
NEW_IDS = map((token_hex(4) + "-{:x}").format, count())
LEFT = "client_left"
logger = logging.getLogger("gateway")


class Answer:
    """The client's side of a request; `status` is 0 until something was sent."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self.status = 0
        self.translator: Translator | None = None

    async def whole(self, status: int, body: bytes, retry_after_s: int | None = None) -> None:
        """An answer in one piece."""
        headers = [(b"content-length", b"%d" % len(body))]
        if retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % retry_after_s))
        await self._start(status, JSON, headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def piece(self, data: bytes, kind: bytes) -> None:
        """A piece of a stream; the first one brings the headers, which tell proxies not to hold anything back."""
        if not self.status:
            await self._start(200, kind, [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")])
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """The end of a stream."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, status: int, kind: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        common = [(b"content-type", kind), (b"x-request-id", self._request_id)]
        await self._send({"type": "http.response.start", "status": status, "headers": common + headers})


class Heartbeat:
    """Tells the client of a stream every few seconds that it is alive, until the first token."""

    def __init__(self, answer: Answer, every_s: float) -> None:
        self._answer, self._every_s = answer, every_s
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(every_s, self._begin)

    def stop(self) -> None:
        """No more beats."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._repeat())

    async def _repeat(self) -> None:
        while translator := self._answer.translator:
            await self._answer.piece(translator.heartbeat, translator.kind)
            await asyncio.sleep(self._every_s)


class Endpoint:
    """The ASGI application of one path: no framework stands between it and the server while an answer flows."""

    def __init__(self, state: State, dialect: Dialect) -> None:
        self._state = state
        self._dialect = dialect

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and keep its record."""
        call = Call(request_id(scope["headers"]), self._dialect.name)
        answer = Answer(send, call.request_id)
        refusal = None
        self._state.running += 1
        try:
            await self._handle(scope, receive, call, answer)
        except Refused as refused:
            refusal = refused
        except asyncio.CancelledError:
            refusal = client_left() if call.outcome == LEFT else shutting_down()
        except Exception:
            logger.exception("request %s broke the gateway", call.request_id)
            refusal = Refused(500, "internal_error", "The gateway failed; its log says why.")
        try:
            if refusal is not None:
                await self._refuse(refusal, call, answer)
        finally:
            self._state.running -= 1
            self._state.finish(call)

    async def _refuse(self, refusal: Refused, call: Call, answer: Answer) -> None:
        call.outcome, call.status = refusal.code, refusal.status
        if refusal.code == LEFT:
            return
        if not answer.status:
            await answer.whole(refusal.status, self._dialect.error(refusal), refusal.retry_after_s)
        elif answer.translator is not None:
            await answer.piece(answer.translator.error(refusal), b"")
            await answer.end()

    async def _handle(self, scope: Message, receive: Receive, call: Call, answer: Answer) -> None:
        state = self._state
        key = state.keyring.check(scope["headers"])
        call.key, call.key_id = key.name, key.id
        if state.draining:
            raise shutting_down()
        body = await read_body(scope["headers"], receive, state.settings.limits.max_body_bytes)
        wanted = self._dialect.parse(body, state.settings.limits)
        call.model, targets = state.router.resolve(wanted.model)
        call.stream = wanted.stream
        account, estimate = state.accounts.of(key), wanted.prompt_tokens + wanted.output_tokens
        account.enter(estimate)
        task = asyncio.current_task()
        watcher = asyncio.create_task(watch_client(receive, task, call))
        try:
            await state.queue.enter()
            call.begun_s = perf_counter()
            try:
                await self._relay(wanted, targets, call, answer)
            finally:
                state.queue.leave(perf_counter() - call.begun_s)
        finally:
            watcher.cancel()
            account.leave(estimate, call.prompt_tokens + call.output_tokens)

    async def _relay(self, wanted: Wanted, targets: Sequence[Target], call: Call, answer: Answer) -> None:
        """Try upstreams until one answers; once the client has seen a piece of an answer there is no other try."""
        state, tried, failure = self._state, list[Target](), None
        heartbeat = Heartbeat(answer, state.settings.timeouts.heartbeat_s) if wanted.stream else None
        try:
            while len(tried) < state.settings.limits.attempts and call.first_s is None:
                target = state.router.choose(targets, wanted.prefix, tried)
                if target is None:
                    break
                tried.append(target)
                call.upstream, call.attempts, healthy = target.name, len(tried), None
                target.enter()
                try:
                    await self._attempt(wanted, target, call, answer, heartbeat)
                    healthy = True
                    return
                except UpstreamFailure as failed:
                    failure, healthy = failed, failed.status == 429
                    state.note_failure(target, failed, call)
                finally:
                    target.leave(healthy)
            if call.first_s is None:
                call.estimate(0)
            raise (failure or UpstreamFailure("connect")).refusal()
        finally:
            if heartbeat is not None:
                heartbeat.stop()

    async def _attempt(
        self, wanted: Wanted, target: Target, call: Call, answer: Answer, heartbeat: Heartbeat | None
    ) -> None:
        settings = self._state.settings
        timeouts, latest_s = settings.timeouts, perf_counter() + settings.timeouts.total_s
        path, body, translator = self._dialect.forward(wanted, call.model, target, call)
        answer.translator = translator
        if not path:  # a question that needs no engine
            call.status = 200
            await answer.whole(200, body)
            return
        phase, limit_s = (
            ("the first token", timeouts.first_token_s) if wanted.stream else ("the answer", timeouts.total_s)
        )
        call.estimate(wanted.prompt_tokens)
        request = target.encode(path, body, call.request_id)
        connection = await target.pool.request(request, call.request_id, phase, limit_s)
        try:
            status, kind = connection.exchange.status or 0, connection.kind
            if status != 200 or not wanted.stream or not kind.startswith(translator.accepts):
                content = await connection.read_all(settings.limits.max_answer_bytes)
                await self._answer_whole(status, kind, content, connection.retry_after_s, call, answer)
                return
            while piece := await connection.read():
                if data := translator.feed(piece):
                    if heartbeat is not None and call.first_s is None:
                        heartbeat.stop()
                    call.note_piece()
                    await answer.piece(data, translator.kind)
                limit_s = min(timeouts.between_tokens_s, latest_s - perf_counter())
                connection.wait_at_most("the next token", limit_s)
            if data := translator.end():
                await answer.piece(data, translator.kind)
            call.status = 200
            await answer.end()
        finally:
            target.pool.release(connection)

    async def _answer_whole(
        self, status: int, kind: bytes, content: bytes, retry_after_s: int | None, call: Call, answer: Answer
    ) -> None:
        """Pass on an answer that is no stream: the engine's own words if it refused, never those of a failure."""
        if status in ELSEWHERE or not (200 <= status < 300 or 400 <= status < 500):
            raise UpstreamFailure("status", f"status {status}", status, retry_after_s)
        if not kind.startswith(JSON):
            raise UpstreamFailure("foreign", f"an answer of type {kind[:60]!r}")
        translator = answer.translator
        if translator is None or (answer.status and status == 200):
            raise UpstreamFailure("foreign", "a whole answer where a stream has begun")
        if status >= 400 and answer.status:
            raise Refused(status, "upstream_refused", engine_message(content))
        if status < 400:
            content = translator.whole(content)
            call.note_piece()
        else:
            call.estimate(0)
            call.outcome, content = "upstream_refused", translator.refused(content)
        call.status = status
        await answer.whole(status, content, retry_after_s)


def shutting_down() -> Refused:
    """What requests are told during the drain, and those that it ends."""
    return Refused(503, "shutting_down", "The gateway is shutting down.", 5)


def client_left() -> Refused:
    """For the records only: nobody is there to be told."""
    return Refused(499, LEFT, "The client has left.")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's own id of the request, if it has a decent one, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return next(NEW_IDS)


async def read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int) -> bytes:
    """The whole body of a request.

    Raises:
        Refused: 413, before more than `max_bytes` are kept; the client left.
    """
    too_large = Refused(413, "body_too_large", f"A request may have at most {max_bytes} bytes.")
    for name, value in headers:
        if name == b"content-length" and int(value) > max_bytes:
            raise too_large
    message = await receive()
    pieces, size = [message.get("body", b"")], len(message.get("body", b""))
    while message.get("more_body"):
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > max_bytes:
            raise too_large
    if message["type"] == "http.disconnect":
        raise client_left()
    return b"".join(pieces)


async def watch_client(receive: Receive, task: "asyncio.Task[Any] | None", call: Call) -> None:
    """Wait until the client leaves, then end its request: the upstream's connection closes with it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    call.outcome = LEFT
    if task is not None:
        task.cancel()
