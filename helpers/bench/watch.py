"""An engine's own gauges while a load runs: requests running and waiting, and how full the KV cache is."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from helpers.errors import EngineFailed

GAUGES = ("requests_running", "requests_waiting", "kv_cache_usage")


class Measured(Protocol):
    """What is needed of a server."""

    def metrics(self) -> dict[str, float]:
        """Its metrics under the common names."""


@contextmanager
def watch(server: Measured, *, every_s: float = 0.1) -> Iterator[list[dict[str, float]]]:
    """Read a server's gauges again and again while the `with` block runs.

    Args:
        server: from `launch` or `attach`.
        every_s: between two readings; each is a small request of its own.

    Yields:
        A list that fills: {"at_s": seconds since the start, and those of `GAUGES` that the server has}.

    Raises:
        EngineFailed: it stopped answering; at the end of the block.
    """
    samples: list[dict[str, float]] = []
    failures: list[EngineFailed] = []
    ended = threading.Event()
    started_s = time.perf_counter()

    def sample() -> None:
        while not ended.wait(every_s):
            try:
                values = server.metrics()
            except EngineFailed as failure:
                failures.append(failure)
                return
            gauges = {name: values[name] for name in GAUGES if name in values}
            samples.append({"at_s": time.perf_counter() - started_s, **gauges})

    reader = threading.Thread(target=sample, daemon=True)
    reader.start()
    try:
        yield samples
    finally:
        ended.set()
        reader.join()
    if failures:
        raise failures[0]
