"""A deployment that runs: its replicas, the gateway before them if there are several, and what they have used."""

import time
from collections.abc import Sequence
from types import TracebackType

import psutil

from helpers.api.process import GatewayProcess
from helpers.capstone.deployment import Checked
from helpers.engines.server import Server
from helpers.engines.starting import start
from helpers.errors import EngineFailed

POLL_S = 0.05


class Serving:
    """What answers. It has what `helpers.measure` asks of a server; ends with its `with` block.

    Attributes:
        url, engine, model, precision, backend: as of a `Server`; the URL is the gateway's where there is one.
        servers: the replicas.
    """

    def __init__(self, servers: Sequence[Server], gateway: GatewayProcess | None = None) -> None:
        first = servers[0]
        self.servers = tuple(servers)
        self.engine, self.model, self.precision = first.engine, first.model, first.precision
        self.url = gateway.url if gateway is not None else first.url
        behind = f"; {len(servers)} replicas behind the gateway" if gateway is not None else ""
        self.backend = f"{first.backend}{behind}"
        self._gateway = gateway

    def metrics(self) -> dict[str, float]:
        """Counters of all replicas together.

        Raises:
            EngineFailed: one of them has ended.
        """
        total: dict[str, float] = {}
        for server in self.servers:
            for name, value in server.metrics().items():
                total[name] = total.get(name, 0.0) + value
        return total

    def cpu_s(self) -> float:
        """Processor seconds that the living engines and the gateway have used so far."""
        pids = [server.pid for server in self.servers]
        pids += [self._gateway.pid] if self._gateway is not None else []
        return sum(_used_s(pid) for pid in pids if pid)

    def endings(self, *, wait_s: float = 0.0) -> tuple[str, ...]:
        """Why replicas have ended by themselves, one line each; empty if all live.

        Args:
            wait_s: how long to look for one: a broken connection is seen before the end of its process is.
        """
        until_s = time.monotonic() + wait_s
        while not (words := self._ended()) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        return words

    def _ended(self) -> tuple[str, ...]:
        words = []
        for number, server in enumerate(self.servers, start=1):
            try:
                server.require_running()
            except EngineFailed as error:
                words.append(f"replica {number} of {len(self.servers)}: {' '.join(str(error).split())}")
        return tuple(words)

    def stop(self) -> None:
        """End everything; may be repeated."""
        if self._gateway is not None:
            self._gateway.stop()
            self._gateway = None
        for server in self.servers:
            server.stop()

    def __enter__(self) -> "Serving":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(checked: Checked) -> Serving:
    """Start what was checked.

    Raises:
        CourseError: it does not start; nothing is left running.
    """
    servers: list[Server] = []
    replicas = checked.deployment.replicas
    try:
        for _ in range(replicas):
            servers.append(start(checked.adapter, checked.config, beside=bool(servers)))
        if replicas == 1:
            return Serving(servers)
        urls = ",".join(server.url for server in servers)
        return Serving(servers, GatewayProcess("--no-keys", "--upstream", f"replicas={urls}").start())
    except BaseException:
        for server in servers:
            server.stop()
        raise


def _used_s(pid: int) -> float:
    """Of a process and its children; what has ended meanwhile counts nothing."""
    total = 0.0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return total
    for process in family:
        try:
            used = process.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system
    return total
