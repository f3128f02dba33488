"""The process: uvicorn with uvloop and httptools, and what it lacks: limits on slow clients, and a quiet drain."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from helpers.api.settings import Timeouts
from helpers.api.state import State
from helpers.client.loop import new_event_loop
from helpers.errors import MissingError

MOST_HEAD_BYTES = 64 * 1024


class Protocol(HttpToolsProtocol):
    """uvicorn's, with bounds on how slowly a client may write its request and read its answer."""

    timeouts = Timeouts()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio: a client is there; it has `receive_s` for its first request."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._earlier: list[RequestResponseCycle] = []
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._begin_reading()

    def data_received(self, data: bytes) -> None:
        """asyncio: headers without end are cut off."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and self._reading is not None and not self.transport.is_closing():
            self.transport.abort()

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        super().on_message_begin()
        self._begin_reading()

    def on_headers_complete(self) -> None:
        """httptools: a request sent before the answer to the one before makes uvicorn forget that one; we do not."""
        earlier = self.cycle
        super().on_headers_complete()
        self._head_bytes = -sys.maxsize
        if earlier is not None and not earlier.response_complete:
            self._earlier.append(earlier)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        super().on_message_complete()
        self._stop(self._reading)
        self._reading = None
        self._head_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client has left."""
        self._stop(self._reading)
        self._stop(self._writing)
        super().connection_lost(exc)
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()

    def pause_writing(self) -> None:
        """asyncio: the client does not read; it has `slow_client_s` to go on."""
        super().pause_writing()
        self._writing = self.loop.call_later(self.timeouts.slow_client_s, self.transport.abort)

    def resume_writing(self) -> None:
        """asyncio: it reads again."""
        super().resume_writing()
        self._stop(self._writing)

    def _begin_reading(self) -> None:
        if self._reading is None:
            self._reading = self.loop.call_later(self.timeouts.receive_s, self.transport.abort)

    def _stop(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


class Server(uvicorn.Server):
    """uvicorn's server; a signal makes the gateway unready, and `serve` returns, so that engines are ended."""

    def __init__(self, config: uvicorn.Config, state: State, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._state = state
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn: say so when it listens."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again and again would delay tokens
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal, or the parent's end: drain; a second Ctrl-C does not wait."""
        self._state.draining = True
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn: without raising the signal again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class JsonFormatter(logging.Formatter):
    """Log records as JSON lines, like those of requests."""

    def format(self, record: logging.LogRecord) -> str:
        """logging: one line."""
        line: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": "log",
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, before anything else is started.

    Raises:
        MissingError: the port is taken, or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise MissingError(
            f"cannot listen on {host}:{port}", error.strerror or str(error), "./course serve --port 0"
        ) from error
    return listener


def make_server(app: FastAPI, listening: Callable[[], None]) -> Server:
    """A server for the gateway; `listening` is called when requests are answered."""
    state: State = app.state.gateway
    timeouts = state.settings.timeouts
    config = uvicorn.Config(
        app,
        http=type("ClientProtocol", (Protocol,), {"timeouts": timeouts}),
        ws="websockets-sansio" if app.state.has_ui else "none",  # the pages' connection; the APIs have none
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(timeouts.drain_s)),
    )
    return Server(config, state, listening)


def run_server(server: Server, listener: socket.socket, with_parent: bool = False) -> None:
    """Serve until SIGTERM, SIGINT or (with_parent) the end of standard input; running requests get `drain_s`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    for name in ("gateway", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "gateway" else logging.ERROR)
    if with_parent:
        threading.Thread(target=_wait_for_parent, args=(server,), daemon=True).start()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(server.serve(sockets=[listener]))


def _wait_for_parent(server: Server) -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not through sys.stdin, which is locked when the interpreter ends
        pass
    server.handle_exit(signal.SIGTERM, None)
