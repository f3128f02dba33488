"""The child of `helpers.course.app_process`: loads a file, calls its factory, serves the app on 127.0.0.1.

Standard input: one line of JSON, {"file", "factory", "arguments"}; its end is the end of the server. Standard output:
one line, {"url"}, when requests are answered.
"""

import asyncio
import importlib.util
import json
import os
import socket
import sys
import threading
import time

import uvicorn

from helpers.client.loop import new_event_loop

GRACE_S = 1
"""For running requests, once the end is asked for."""

SEND_BUFFER_BYTES = 64 * 1024
"""Of each connection: a client that does not read is noticed after this much, not after the system's megabytes."""


class Server(uvicorn.Server):
    """uvicorn's server, which says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn: the app has started too."""
        await super().startup(sockets)
        if self.started and sockets:
            port = sockets[0].getsockname()[1]
            sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{port}"}) + "\n")
            sys.stdout.flush()


def wait_for_parent(server: Server) -> None:
    """End with the parent, even if something blocks the event loop."""
    sys.stdin.buffer.read()
    server.should_exit = True
    time.sleep(2 * GRACE_S)
    os._exit(1)


def main() -> None:
    """Serve."""
    request = json.loads(sys.stdin.buffer.readline())
    spec = importlib.util.spec_from_file_location("app", request["file"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["app"] = module  # FastAPI looks annotations up there
    spec.loader.exec_module(module)
    app = getattr(module, request["factory"])(**request["arguments"])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
    server = Server(config)
    threading.Thread(target=wait_for_parent, args=(server,), daemon=True).start()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
