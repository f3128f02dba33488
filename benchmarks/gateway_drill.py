"""Does the gateway stand whatever clients do to it? The drills of tests/api in full, against `./course serve`.

    python benchmarks/gateway_drill.py [--quick]

Some five minutes: 100,000 requests with random bodies, headers and bytes; the described API fuzzed by schemathesis;
2,000 connections that say nothing or never finish their headers; 1,000 clients that leave in the middle. Figures go to
results/gateway_drill.json and README.md; --quick is a hundredth of it and keeps nothing. Exit code 1 if a goal is
missed.

An answer of 501 says what the gateway does not have, and 502 that the engine behind it failed at what it was passed:
the drill's engine takes less than real ones do. Any other 5xx would be the gateway's own failure.
"""

import argparse
import contextlib
import logging
import os
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from prometheus_client.parser import text_string_to_metric_families
from sitting import Bar, at_most, bar_table, circumstances, keep, markdown_table

from helpers.api.database import Database
from helpers.api.process import GatewayProcess
from helpers.client.mock import MockServer
from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from tests.api.fuzzing import Exchanged, ask_as_described, is_own_failure, post_randomly, write_randomly
from tests.api.test_ollama import engine
from tests.api.upstreams import upstream

RANDOM, EXAMPLES, IDLE, LEAVING, PARTS = 100_000, 100, 2_000, 1_000, 10
MOST_GROWTH = 1.10
SETTLED_WITHIN_S = 10.0
SPARE_FILES = 16
"""Kept connections to upstreams, which come and go."""

SETTINGS = """
[upstreams.m]
urls = ["{engine}"]
[upstreams.slow]
urls = ["{slow}"]
[limits]
max_body_bytes = 100_000
max_in_flight = 2_000
requests_per_minute = 100_000_000
tokens_per_minute = 1_000_000_000
key_in_flight = 2_000
"""


@dataclass
class Drilled:
    """The gateway under the drill."""

    root: str
    api_key: str
    process: psutil.Process

    @property
    def headers(self) -> dict[str, str]:
        """The key."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def metric(self, name: str) -> float:
        """One of its gauges."""
        endpoint = Endpoint.parse(self.root)
        text = ask(endpoint, "GET", "/metrics", api_key=self.api_key).body.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        )

    def chat_status(self) -> int:
        """Does it still answer?"""
        payload = {"model": "mock", "messages": [{"role": "user", "content": "What is a KV cache?"}]}
        return ask(Endpoint.parse(self.root), "POST", "/v1/chat/completions", payload, api_key=self.api_key).status

    def connect(self) -> socket.socket:
        """A connection."""
        where = urlsplit(self.root)
        return socket.create_connection((where.hostname or "", where.port or 0), timeout=10)


@contextlib.contextmanager
def drilled(behind: str, slow: str) -> Iterator[Drilled]:
    """`./course serve` with keys, limits, accounting, metrics, logs and health checks."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/gateway.sqlite"
        database = Database(url)
        key = database.add_key("drill")
        database.close()
        settings = Path(folder) / "gateway.toml"
        settings.write_text(SETTINGS.format(engine=behind, slow=slow))
        with GatewayProcess("--keys", "--database", url, "--config", str(settings)) as gateway:
            yield Drilled(gateway.root, key, psutil.Process(gateway.pid))


class Book:
    """What was answered, by kind of drill; the first failure of each kind is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Counter[str]] = {}
        self.failures: list[str] = []

    def note(self, kind: str, exchanged: Exchanged) -> None:
        """Count the answers of one kind."""
        counted = self.answers.setdefault(kind, Counter())
        for sent, status, said in exchanged:
            counted[str(status or "closed")] += 1
            if is_own_failure(status):
                self.failures.append(f"{kind}: {str(sent)[:300]} -> {said[:300]!r}")


def wait_until_idle(gateway: Drilled, metric: str) -> float:
    """Seconds until a gauge of the gateway is zero, or `SETTLED_WITHIN_S`."""
    start_s = time.monotonic()
    while gateway.metric(metric) and time.monotonic() - start_s < SETTLED_WITHIN_S:
        time.sleep(0.02)
    return time.monotonic() - start_s


def hold_idle(gateway: Drilled, count: int) -> int:
    """Open connections that say nothing or stop in their headers; the status of a chat meanwhile."""
    with contextlib.ExitStack() as idle:
        for number in range(count):
            connection = idle.enter_context(gateway.connect())
            if number % 2:
                connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        return gateway.chat_status()


def leave_in_the_middle(gateway: Drilled, slow: MockServer, count: int) -> float:
    """Clients that leave while their answer comes; seconds until the upstream has nothing left to do."""
    body = b'{"model": "slow", "stream": %s, "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}]}'
    connections = []
    for number in range(count):
        connection = gateway.connect()
        content = body % (b"true" if number % 2 else b"false")
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.api_key}\r\n"
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        connections.append(connection)
    deadline_s = time.monotonic() + 60
    while gateway.metric("gateway_in_flight") < count and time.monotonic() < deadline_s:
        time.sleep(0.05)
    for connection in connections:
        connection.close()
    start_s = time.monotonic()
    while in_flight(slow) and time.monotonic() - start_s < SETTLED_WITHIN_S:
        time.sleep(0.02)
    return time.monotonic() - start_s


def in_flight(mock: MockServer) -> int:
    """What an upstream is working on, by its own account."""
    text = ask(Endpoint.parse(mock.url), "GET", "/metrics").body.decode()
    return int(text.split("llamacpp:requests_processing ")[1].split()[0])


def sit(share: float) -> dict[str, Any]:
    """Everything, with `share` of the counts."""
    before, book = circumstances(), Book()
    memory: list[tuple[str, int]] = []
    with (
        upstream(engine) as behind,
        MockServer(ttft_s=0.1, gap_s=0.2, output_tokens=4000, model="slow") as slow,
        drilled(behind.url, slow.url) as gateway,
    ):
        gateway.chat_status()
        files = gateway.process.num_fds()
        each = round(RANDOM * share / PARTS / 2)
        authorization = f"Authorization: Bearer {gateway.api_key}\r\n"
        for part in range(PARTS):
            book.note("random bodies and headers", post_randomly(gateway.root, each, part, gateway.headers))
            book.note("random bytes", write_randomly(gateway.root, each, part, authorization))
            behind.sent.clear()
            memory.append((f"{2 * each * (part + 1):,} random requests", gateway.process.memory_info().rss))
        examples = max(2, round(EXAMPLES * share))
        book.note("the described API", ask_as_described(gateway.root, examples, gateway.headers))
        memory.append(("the described API", gateway.process.memory_info().rss))
        idle = round(IDLE * share)
        status_meanwhile = hold_idle(gateway, idle)
        memory.append((f"{idle:,} idle connections", gateway.process.memory_info().rss))
        leaving = round(LEAVING * share)
        upstream_idle_s = leave_in_the_middle(gateway, slow, leaving)
        memory.append((f"{leaving:,} clients that left", gateway.process.memory_info().rss))
        wait_until_idle(gateway, "gateway_in_flight")
        return {
            "circumstances": before,
            "load_average_after": round(os.getloadavg()[0], 1),
            "answers": {kind: dict(sorted(counted.items())) for kind, counted in book.answers.items()},
            "own_failures": book.failures,
            "idle_connections": idle,
            "status_while_idle": status_meanwhile,
            "left_in_the_middle": leaving,
            "upstream_idle_s": upstream_idle_s,
            "in_flight_at_end": gateway.metric("gateway_in_flight") + gateway.metric("gateway_waiting"),
            "files_left_open": gateway.process.num_fds() - files,
            "status_at_end": gateway.chat_status(),
            "memory": memory,
        }


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals."""
    random_parts = [resident for after, resident in result["memory"] if "random" in after]
    answered = [result["status_while_idle"], result["status_at_end"]]
    return [
        at_most("5xx of its own making", [len(result["own_failures"])], 0),
        at_most("chats not answered beside idle connections and at the end", [2 - answered.count(200)], 0),
        at_most("requests in flight or waiting at the end", [result["in_flight_at_end"]], 0),
        at_most("files left open", [result["files_left_open"]], SPARE_FILES),
        at_most("upstream idle after the clients left", [result["upstream_idle_s"]], 1, " s"),
        at_most(
            "memory after the random requests, times that after a tenth",
            [random_parts[-1] / random_parts[0]],
            MOST_GROWTH,
        ),
    ]


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    circumstance = result["circumstances"]
    answers = [
        [kind, f"{sum(counted.values()):,}", ", ".join(f"{status}: {count:,}" for status, count in counted.items())]
        for kind, counted in result["answers"].items()
    ]
    rows = [[after, f"{resident / 2**20:.1f}"] for after, resident in result["memory"]]
    return (
        f"Measured {circumstance['date'][:16].replace('T', ' ')} UTC on {circumstance['processor']} "
        f"({circumstance['cores']} cores), load average {circumstance['load_average']} before. "
        f"{result['idle_connections']:,} idle connections, {result['left_in_the_middle']:,} clients that left.\n\n"
        f"{bar_table(find_bars(result))}\n"
        f"{markdown_table(('what was sent', 'requests', 'answers by status'), answers)}\n"
        f"{markdown_table(('after', 'memory, MiB'), rows)}"
    )


def main() -> int:
    """Drill, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of it; nothing is kept")
    arguments = parser.parse_args()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # the gateway inherits it
    os.environ["NO_PROXY"] = "127.0.0.1"
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the drill's engine breaks at some of what it is passed
    result = sit(0.01 if arguments.quick else 1.0)
    print(render(result))
    for failure in result["own_failures"][:10]:
        print(failure, file=sys.stderr)
    if not arguments.quick:
        keep("gateway_drill", result, render)
    return 0 if all(bar.held for bar in find_bars(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
