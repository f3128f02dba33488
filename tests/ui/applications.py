"""Small ASGI applications in place of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

Answering = Callable[["Asked", Send, Receive], Awaitable[None]]


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Application:
    """Answers as told, and keeps what it was asked."""

    answer: Answering
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces, more = [], True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Asked(scope["method"], scope["path"], headers, b"".join(pieces))
        self.asked.append(request)
        task = asyncio.create_task(self.answer(request, send, receive))
        leaving = asyncio.create_task(receive())
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            self.left.set()
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def start(send: Send, status: int = 200, kind: bytes = b"application/json") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


async def write(send: Send, *pieces: bytes, end: bool = True) -> None:
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if end:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
