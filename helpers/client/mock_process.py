"""The mock server's process: `python -m helpers.client.mock_process [--with-parent] [CONFIG]`.

CONFIG is JSON with the fields of `helpers.client.mock.MockConfig`. One line, {"url": ...}, on standard output says
that it listens. With --with-parent it ends when its standard input closes, so that it never outlives the process
that started it.
"""

import argparse
import asyncio
import gc
import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from helpers.client.loop import new_event_loop
from helpers.client.mock import MockConfig
from helpers.client.mock_server import Mock, MockConnection
from helpers.errors import CourseError


class ParentWatch(asyncio.Protocol):
    """Reads the parent's pipe only to see it close."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self.gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the parent has closed its end, or is dead."""
        self.gone()


async def serve(config: MockConfig, with_parent: bool) -> None:
    """Listen on 127.0.0.1 until told to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in ("SIGTERM", "SIGINT"):
        with suppress(NotImplementedError):  # Windows loops have no signal handlers; the pipe ends the mock there
            loop.add_signal_handler(getattr(signal, name), stop.set)
    mock = Mock(config, loop)
    server = await loop.create_server(lambda: MockConnection(mock), "127.0.0.1", config.port, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{port}/v1"}) + "\n")
    sys.stdout.flush()
    if with_parent:
        await loop.connect_read_pipe(lambda: ParentWatch(stop.set), sys.stdin)
    gc.freeze()
    await stop.wait()
    server.close()


def main() -> int:
    """Read the configuration and serve."""
    parser = argparse.ArgumentParser(prog="python -m helpers.client.mock_process", description=__doc__)
    parser.add_argument("config", nargs="?", default="{}", help='JSON, such as {"ttft_s": 0.05, "port": 8000}')
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    try:
        config = MockConfig.from_json(json.loads(arguments.config))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(config, arguments.with_parent))
    except (CourseError, OSError, ValueError) as error:
        sys.stderr.write(f"mock server: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
