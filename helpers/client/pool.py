"""Connections to one server, kept and used again."""

import asyncio
import ssl
from time import perf_counter

from helpers.client.wire import Connection, Endpoint

IDLE_LIMIT_S = 2.0
"""A kept connection unused for longer is not used again: servers close theirs (uvicorn after 5 s), and a request
written at that moment would be lost."""


class Pool:
    """Connections to one endpoint; the one used last is used first.

    Attributes:
        keeps: False once the server has been seen to close connections that it had promised to keep, as llama.cpp's
            does after each stream; from then on each request gets a connection of its own.
        opened: connections made so far.
        connection_type: what connections are made of; the gateway's wake their reader with every piece.
    """

    connection_type = Connection

    def __init__(self, endpoint: Endpoint, connect_timeout_s: float) -> None:
        self.endpoint = endpoint
        self.connect_timeout_s = connect_timeout_s
        self.opened = 0
        self.keeps = True
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._tls = ssl.create_default_context() if endpoint.tls else None

    async def take(self) -> Connection:
        """An idle connection, or a new one.

        Raises:
            OSError, TimeoutError: none can be made; `describe_failure` puts it in words.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is None or connection.transport.is_closing():
                continue
            if perf_counter() - connection.idle_since_s <= IDLE_LIMIT_S and (self.keeps or not connection.used):
                return connection
            connection.abort()
        return await self._connect()

    def give(self, connection: Connection) -> None:
        """Return a connection whose exchange has ended."""
        if not self.keeps:
            connection.abort()
        elif connection.transport is not None and not connection.transport.is_closing():
            self._idle.append(connection)

    async def open(self, count: int) -> None:
        """Open connections ahead, so that connecting is no part of what is measured; failures show up in `take`."""
        made = await asyncio.gather(*(self._connect() for _ in range(count)), return_exceptions=True)
        self._idle.extend(connection for connection in made if isinstance(connection, Connection))

    def close(self) -> None:
        """Close every connection, used or not."""
        for connection in list(self._open):
            connection.give_up("stopped by the client")

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.connect_timeout_s):
            _, connection = await loop.create_connection(
                lambda: self.connection_type(loop, self._open.discard),
                self.endpoint.host,
                self.endpoint.port,
                ssl=self._tls,
            )
        self._open.add(connection)
        self.opened += 1
        connection.idle_since_s = perf_counter()
        return connection


def describe_failure(error: OSError, endpoint: Endpoint, connect_timeout_s: float) -> str:
    """One line for a connection that could not be made."""
    if isinstance(error, TimeoutError):
        return f"no connection to {endpoint.authority} within {connect_timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused by {endpoint.authority}"
    if isinstance(error, ssl.SSLError):
        return f"TLS with {endpoint.authority} failed: {error.reason}"
    return f"no connection to {endpoint.authority}: {error.strerror or error}"
