"""A gateway in this process, on a thread of its own: starts in milliseconds, and its state can be looked at."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from helpers.api.app import create_app
from helpers.api.page import add_page
from helpers.api.server import bind, make_server, run_server
from helpers.api.settings import Limits, Settings, Timeouts, UpstreamSettings
from helpers.api.state import State

ASK = {"messages": [{"role": "user", "content": "What is a KV cache?"}], "model": "mock"}


@dataclass
class Gateway:
    root: str
    state: State

    def client(self, **options: Any) -> httpx.Client:
        # verify=False: no TLS here, and reading the certificates takes longer than most tests
        return httpx.Client(base_url=self.root, trust_env=False, timeout=30, verify=False, **options)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        with self.client() as client:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return client.post(path, content=content, headers={"content-type": "application/json", **headers})

    def get(self, path: str, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path, headers=headers)

    def chat(self, **fields: Any) -> httpx.Response:
        return self.post("/v1/chat/completions", {**ASK, **fields})

    def usage(self) -> list[dict[str, Any]]:
        """All usage rows, once every request so far is among them."""
        until(lambda: self.state.running == 0 and self.state.ledger.pending_rows == 0)
        return self.state.ledger.database.usage()


@contextmanager
def gateway(
    tmp_path: Path,
    *urls: str,
    upstreams: tuple[UpstreamSettings, ...] = (),
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    aliases: dict[str, str] | None = None,
    keys_required: bool = False,
) -> Iterator[Gateway]:
    """A gateway in front of one upstream "m" with the given URLs, or of the given upstreams."""
    upstreams = upstreams or (UpstreamSettings("m", urls),)
    settings = Settings(
        upstreams,
        aliases or {},
        limits or Limits(),
        timeouts or Timeouts(),
        f"sqlite:///{tmp_path / 'gateway.sqlite'}",
        keys_required,
    )
    app = create_app(settings)
    add_page(app)
    listener = bind("127.0.0.1", 0)
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with running(app, listener):
        yield Gateway(root, app.state.gateway)


@contextmanager
def running(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    listening = threading.Event()
    server = make_server(app, listening.set)
    thread = threading.Thread(target=run_server, args=(server, listener))
    thread.start()
    try:
        assert listening.wait(20)
        yield
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


def until(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    """Wait for a condition, or fail."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to pass"
        time.sleep(0.01)


def events(text: str) -> list[dict[str, Any]]:
    """The JSON of each event of a stream, without the [DONE]."""
    data = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in data if line != "[DONE]"]
