"""The client's side of a request: what is written to it, and what is written while nothing comes."""

import asyncio

from starlette.types import Send

from helpers.api.stream import Translator

JSON = b"application/json"


class Answer:
    """One answer; `status` is 0 until something was sent, `translator` knows the form of what is streamed."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None
        self.status = 0
        self.translator: Translator | None = None

    async def whole(self, status: int, body: bytes, retry_after_s: int | None = None) -> None:
        """An answer in one piece."""
        headers = [(b"content-length", b"%d" % len(body))]
        if retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % retry_after_s))
        await self._start(status, JSON, headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def piece(self, data: bytes) -> None:
        """A piece of a stream; the first one brings the headers, which tell proxies not to hold anything back."""
        if not self.status and self.translator is not None:
            headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
            await self._start(200, self.translator.kind, headers)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """The end of a stream."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def begin_heartbeat(self, every_s: float) -> None:
        """From now on tell the client every few seconds that its stream is alive."""
        self._timer = asyncio.get_running_loop().call_later(every_s, self._beat, every_s)

    def stop_heartbeat(self) -> None:
        """The first token has come, or none will."""
        if self._timer is not None:
            self._timer.cancel()
        if self._beating is not None:
            self._beating.cancel()

    def _beat(self, every_s: float) -> None:
        if self.translator is not None:
            self._beating = asyncio.create_task(self.piece(self.translator.heartbeat))
        self.begin_heartbeat(every_s)

    async def _start(self, status: int, kind: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        common = [(b"content-type", kind), (b"x-request-id", self._request_id)]
        await self._send({"type": "http.response.start", "status": status, "headers": common + headers})
