"""The UI as a client of the gateway that serves it: the same API, keys, limits and accounts as for any other client.

Requests are handed to the ASGI application itself, without a socket in between. Leaving a stream's `async with`
is what a closed connection is elsewhere: the engine stops.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

from helpers.client.answers import error_message, quote

LEAVE_LIMIT_S = 5.0
"""For a request to end after its client has left."""

Body = bytes | AsyncIterator[bytes]


@dataclass(slots=True, eq=False)
class GatewayError(Exception):
    """The gateway refused: its status, and its own words."""

    status: int
    message: str

    def __str__(self) -> str:
        return self.message


class Answer:
    """An answer whose headers are there; iterate it once for its body."""

    def __init__(self, status: int, messages: "asyncio.Queue[Message | None]") -> None:
        self.status = status
        self._messages = messages

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            if body := message.get("body"):
                yield body
            if not message.get("more_body"):
                return

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self])

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """The JSON objects of an NDJSON stream, each as soon as its line is whole."""
        rest = b""
        async for piece in self:
            *lines, rest = (rest + piece).split(b"\n")
            for line in filter(None, lines):
                yield orjson.loads(line)
        if rest.strip():
            yield orjson.loads(rest)


class Gateway:
    """Requests to the gateway's application with one key, or none."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key

    @asynccontextmanager
    async def send(self, method: str, path: str, body: Body = b"", length: int | None = None) -> AsyncIterator[Answer]:
        """Send a request; the answer may be read within the block.

        Args:
            length: bytes of a body that is iterated.

        Raises:
            GatewayError: the status is an error.
        """
        messages: asyncio.Queue[Message | None] = asyncio.Queue()
        left = asyncio.Event()

        async def run() -> None:
            await self._app(self._scope(method, path, length), _receiver(body, left), messages.put)

        task = asyncio.create_task(run())
        task.add_done_callback(lambda _: messages.put_nowait(None))
        try:
            start = await messages.get()
            if start is None:
                raise GatewayError(500, "The gateway failed; its log says why.")
            answer = Answer(start["status"], messages)
            if answer.status >= 400:
                raise GatewayError(answer.status, _words(await answer.read()))
            yield answer
        finally:
            left.set()
            await asyncio.wait({task}, timeout=LEAVE_LIMIT_S)
            task.cancel()

    async def ask(self, method: str, path: str, fields: dict[str, Any] | None = None) -> Any:
        """Send JSON and return the JSON of the whole answer; None if it is empty.

        Raises:
            GatewayError: it was refused.
        """
        async with self.send(method, path, b"" if fields is None else orjson.dumps(fields)) as answer:
            body = await answer.read()
        return orjson.loads(body) if body.strip() else None

    def _scope(self, method: str, path: str, length: int | None) -> dict[str, Any]:
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        if self._key:
            headers.append((b"authorization", f"Bearer {self._key}".encode("latin-1", "replace")))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
        }


def _receiver(body: Body, left: asyncio.Event) -> Any:
    """ASGI's receive: the body, then, when the client has left, its leaving."""

    async def messages() -> AsyncIterator[Message]:
        if isinstance(body, bytes):
            yield {"type": "http.request", "body": body, "more_body": False}
        else:
            async for piece in body:
                yield {"type": "http.request", "body": piece, "more_body": True}
            yield {"type": "http.request", "body": b"", "more_body": False}

    coming = messages()

    async def receive() -> Message:
        async for message in coming:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    return receive


def _words(body: bytes) -> str:
    try:
        return error_message(orjson.loads(body)) or quote(body)
    except orjson.JSONDecodeError:
        return quote(body)
