"""Upstreams that do exactly what a test says, and keep what they were sent."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass
class Sent:
    """A request as the upstream got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> Any:
        return json.loads(self.body)


class Reply:
    """What a handler writes with."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    async def whole(self, value: Any, status: int = 200, kind: str = JSON, headers: str = "") -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.raw(head.encode() + body)

    async def stream(self, *pieces: bytes, kind: str = "text/event-stream", end: bool = True) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self.raw(head.encode())
        for piece in pieces:
            await self.raw(b"%x\r\n%s\r\n" % (len(piece), piece))
            await asyncio.sleep(0.005)
        if end:
            await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        self.writer.transport.abort()


Handler = Callable[[Sent, Reply], Awaitable[None]]


@dataclass
class Upstream:
    """A running one; `sent` are the requests other than those of health checks."""

    handler: Handler
    models: list[str]
    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    connections: int = 0
    left: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self.answer(Sent(method, path, headers, body), Reply(writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left += 1
        finally:
            writer.close()

    async def answer(self, sent: Sent, reply: Reply) -> None:
        if sent.path == "/v1/models":
            await reply.whole({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
        elif sent.path == "/api/version" and "ollama" not in self.models:
            await reply.whole({"error": "not found"}, 404)
        else:
            if sent.method != "GET":
                self.sent.append(sent)
            await self.handler(sent, reply)


@contextmanager
def upstream(handler: Handler, *models: str) -> Iterator[Upstream]:
    """Serve on a free port from a thread of its own."""
    running = Upstream(handler, list(models or ("mock",)))
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(running.connected, "127.0.0.1", 0)
        running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started.set()
        await stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def chunk(content: str | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """One event of a chat completion."""
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": {**delta, **more}, "finish_reason": finish}
    return (
        b"data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )


def usage(prompt: int, output: int, cached: int = 0) -> bytes:
    """The usage event."""
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return b"data: " + json.dumps({"id": "x", "choices": [], "usage": counts}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def completion(text: str, prompt: int = 3, output: int = 2, **message: Any) -> dict[str, Any]:
    """A plain chat completion."""
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output},
    }
