"""One request from its first byte to its last: key, checks, limits, queue, upstream, answer, and what ends it early."""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import cast

from starlette.types import Receive, Scope, Send

from helpers.api.answer import JSON, Answer
from helpers.api.calls import Call
from helpers.api.openai import Dialect, Wanted
from helpers.api.refusal import LEFT, Refused, UpstreamFailure, client_left, shutting_down, too_large
from helpers.api.routing import Target
from helpers.api.state import State
from helpers.api.stream import Translator
from helpers.api.upstream import Connection
from helpers.api.usage import engine_message

REQUEST_ID = re.compile(rb"[\w.-]{1,64}")
NEW_IDS = map((token_hex(4) + "-{:x}").format, count())
logger = logging.getLogger("gateway")


class Endpoint:
    """The ASGI application of one path: no framework stands between it and the server while an answer flows."""

    def __init__(self, state: State, dialect: Dialect) -> None:
        self._state = state
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        except Exception:  # our own bug: the client is told, the log says what, the other requests go on
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
            await answer.piece(answer.translator.error(refusal))
            await answer.end()

    async def _handle(self, scope: Scope, receive: Receive, call: Call, answer: Answer) -> None:
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
        task = cast("asyncio.Task[None]", asyncio.current_task())
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
        state, tried, failure = self._state, list[Target](), UpstreamFailure("connect")
        if wanted.stream:
            answer.begin_heartbeat(state.settings.timeouts.heartbeat_s)
        try:
            while len(tried) < state.settings.limits.attempts and call.first_s is None:
                target = state.router.choose(targets, wanted.prefix, tried)
                if target is None:
                    break
                tried.append(target)
                call.upstream, call.attempts, healthy = target.name, len(tried), None
                target.enter()
                try:
                    await self._attempt(wanted, target, call, answer)
                    healthy = True
                    return
                except UpstreamFailure as failed:
                    failure, healthy = failed, failed.status == 429
                    state.note_failure(target, failed, call)
                finally:
                    target.leave(healthy)
            if call.first_s is None:
                call.estimate(0)
            raise failure.refusal()
        finally:
            answer.stop_heartbeat()

    async def _attempt(self, wanted: Wanted, target: Target, call: Call, answer: Answer) -> None:
        timeouts = self._state.settings.timeouts
        latest_s = perf_counter() + timeouts.total_s
        path, body, translator = self._dialect.forward(wanted, call.model, target, call)
        if not path:  # a question that needs no engine
            call.status = 200
            await answer.whole(200, body)
            return
        answer.translator = translator
        call.estimate(wanted.prompt_tokens)
        phase, limit_s = "the answer", timeouts.total_s
        if wanted.stream:
            phase, limit_s = "the first token", timeouts.first_token_s
        connection = await target.pool.request(target.encode(path, body, call.request_id), phase, limit_s)
        try:
            if connection.status != 200 or not wanted.stream or not connection.kind.startswith(translator.accepts):
                await self._answer_whole(connection, translator, call, answer)
                return
            while piece := await connection.read():
                if data := translator.feed(piece):
                    answer.stop_heartbeat()
                    call.note_piece()
                    await answer.piece(data)
                connection.wait_at_most("the next token", min(timeouts.between_tokens_s, latest_s - perf_counter()))
            if data := translator.end():
                await answer.piece(data)
            call.status = 200
            await answer.end()
        finally:
            target.pool.release(connection)

    async def _answer_whole(self, connection: Connection, translator: Translator, call: Call, answer: Answer) -> None:
        """Pass on an answer that is no stream: the engine's own words if it refused, never those of a failure."""
        content = await connection.read_all(self._state.settings.limits.max_answer_bytes)
        status, retry_after_s = connection.status, connection.retry_after_s
        if status == 429 or status >= 500 or 300 <= status < 400:  # another upstream may do better
            raise UpstreamFailure("status", f"status {status}", status, retry_after_s)
        if not connection.kind.startswith(JSON) or (answer.status and status < 400):
            raise UpstreamFailure("foreign", f"an answer of type {connection.kind[:60]!r}")
        if answer.status:
            raise Refused(status, "upstream_refused", engine_message(content))
        if status < 400:
            content = translator.whole(content)
            call.note_piece()
        else:
            call.estimate(0)
            call.outcome, content = "upstream_refused", translator.refused(content)
        call.status = status
        await answer.whole(status, content, retry_after_s)


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
    if any(name == b"content-length" and int(value) > max_bytes for name, value in headers):
        raise too_large(max_bytes)
    pieces, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise client_left()
        pieces.append(message.get("body", b""))
        size, more = size + len(pieces[-1]), message.get("more_body", False)
        if size > max_bytes:
            raise too_large(max_bytes)
    return b"".join(pieces)


async def watch_client(receive: Receive, task: "asyncio.Task[None]", call: Call) -> None:
    """Wait until the client leaves, then end its request: the upstream's connection closes with it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    call.outcome = LEFT
    task.cancel()
