"""The course's gateway against LiteLLM's proxy and against no gateway, in front of mock servers.

    python benchmarks/gateway.py [--repeats 5] [--quick]

About ten minutes; LiteLLM gets an environment of its own on first use (see peers.py). Figures go to
results/gateway.json and README.md; --quick makes one small repeat, prints it, and keeps nothing. Exit code 1 if a
goal is missed.

The client sends over kept connections and looks at the answers only when all have ended, so that it is the same small
share of every side's time. Truth is what the mock servers recorded: added TTFT is the client's p50 minus the mock's,
minus the same without a gateway; a token's lateness is its receipt minus the mock's write of it, on one clock.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson
from gateway_sides import Side, course, direct, litellm
from sitting import (
    Bar,
    at_least,
    at_most,
    bar_table,
    circumstances,
    describe,
    interleave,
    markdown_table,
    run_script,
    spread,
)

from helpers.bench.metrics import Distribution
from helpers.client.answers import read_answer
from helpers.client.load import SETTLE_S, EncodedRequest, LoadClient, no_collection
from helpers.client.loop import run_apart
from helpers.client.mock import MockServer
from helpers.client.wire import Exchange

OUTPUT_TOKENS = 64
PROMPT = "word " * 32
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Load:
    """So many requests, so many at once; `slow` is how many LiteLLM gets, which is enough for its steady rate."""

    name: str
    mock: str
    stream: bool
    streams: int
    requests: int
    slow: int


LOADS = (
    Load("plain, 16 at once", "flood", False, 16, 3000, 160),
    Load("plain, 64 at once", "flood", False, 64, 3000, 192),
    Load("streams, 1 at once", "paced", True, 1, 12, 12),
    Load("streams, 16 at once", "paced", True, 16, 96, 64),
    Load("streams, 64 at once", "paced", True, 64, 384, 128),
    Load("flood, 64 at once", "flood", True, 64, 640, 128),
)
PLAIN_16, PLAIN_64, STREAMS_1, STREAMS_16, STREAMS_64, FLOOD_64 = (load.name for load in LOADS)


@dataclass(frozen=True)
class Figures:
    """One load on one side, once; TTFT and lateness are None for plain requests or where nothing was matched."""

    failed: int
    requests_per_s: float
    tokens_per_s: float
    ttft_p50_s: float | None
    ttft_lag_s: float | None
    lateness_p99_s: float | None
    cpu_s_per_request: float
    resident_bytes: int

    def __str__(self) -> str:
        return f"{self.requests_per_s:8.1f} requests/s {self.failed} failed"


def encode(client: LoadClient, api_key: str, load: Load, count: int) -> list[EncodedRequest]:
    """The requests' bytes."""
    made = []
    for number in range(count):
        payload: dict[str, Any] = {
            "model": load.mock,
            "messages": [{"role": "user", "content": f"{number} {PROMPT}"}],
            "max_tokens": OUTPUT_TOKENS,
            "stream": load.stream,
        }
        if load.stream:
            payload["stream_options"] = {"include_usage": True}
        headers = {"X-Request-Id": f"bench-{number}", "Authorization": f"Bearer {api_key}"}
        data = client.endpoint.encode(
            "POST", f"{client.endpoint.base}/chat/completions", orjson.dumps(payload), headers
        )
        made.append(EncodedRequest(f"bench-{number}", data))
    return made


def send_all(side: Side, load: Load, count: int) -> list[Exchange]:
    """A closed loop; the exchanges as they ended, unread."""

    async def run() -> list[Exchange]:
        client = LoadClient(side.urls[load.mock], timeout_s=TIMEOUT_S)
        requests = encode(client, side.api_key, load, count)
        await client.pool.open(min(load.streams, count))
        await asyncio.sleep(SETTLE_S)
        waiting, ended = iter(requests), list[Exchange]()

        async def stream() -> None:
            for request in waiting:
                ended.append(await client.send(request))

        with no_collection():
            await asyncio.gather(*(stream() for _ in range(load.streams)))
        await client.close()
        return ended

    return run_apart(run)


def measure(side: Side, load: Load, mock: MockServer, count: int) -> Figures:
    """Put the load on and compare what the client saw with what the mock did."""
    mock.reset()
    cpu_before_s = side.cpu_s()
    exchanges = send_all(side, load, count)
    cpu_s = side.cpu_s() - cpu_before_s
    duration_s = max(e.done_s or 0 for e in exchanges) - min(e.sent_s or 0 for e in exchanges)
    failed = sum(exchange.status != 200 or bool(exchange.failure) for exchange in exchanges)
    ttft_p50_s = lag_s = lateness_p99_s = None
    if load.stream:
        records = asyncio.run(read_all(exchanges))
        failed = sum(not record.ok for record in records)
        truth = [request for request in mock.truth().requests if request.outcome == "ok"]
        told = Distribution.of(record.ttft_s for record in records if record.ttft_s is not None)
        true = Distribution.of(request.ttft_s for request in truth if request.ttft_s is not None)
        if told and true:
            ttft_p50_s, lag_s = told.p50, told.p50 - true.p50
        written = {request.request_id: request.writes_s for request in truth}
        late = [
            received_s - written_s
            for record in records
            for received_s, written_s in zip(record.chunk_s, written.get(record.request_id, ()), strict=False)
        ]
        lateness = Distribution.of(late)
        lateness_p99_s = lateness.p99 if lateness else None
    return Figures(
        failed=failed,
        requests_per_s=(count - failed) / duration_s,
        tokens_per_s=(count - failed) * OUTPUT_TOKENS / duration_s,
        ttft_p50_s=ttft_p50_s,
        ttft_lag_s=lag_s,
        lateness_p99_s=lateness_p99_s,
        cpu_s_per_request=cpu_s / count,
        resident_bytes=side.resident_bytes(),
    )


async def read_all(exchanges: Sequence[Exchange]) -> list[Any]:
    """Records on the machine's monotonic clock, which is the mock's too."""
    return [await read_answer(exchange, 0.0) for exchange in exchanges]


def sit(repeats: int, share: float) -> Iterator[dict[str, Any]]:
    """Measure everything, with `share` of the requests; what there is so far, after each repeat."""
    before = circumstances()
    with contextlib.ExitStack() as stack:
        paced = stack.enter_context(MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=OUTPUT_TOKENS, model="paced"))
        flood = stack.enter_context(MockServer(ttft_s=0, gap_s=0, output_tokens=OUTPUT_TOKENS, model="flood"))
        mocks = {"paced": paced, "flood": flood}
        started = (direct(mocks), stack.enter_context(course(mocks)), stack.enter_context(litellm(mocks)))
        sides = {side.name: side for side in started}
        for side in started:  # what is done only once is no part of any repeat
            for load in LOADS:
                send_all(side, load, load.streams)

        def measure_load(load: Load, name: str) -> Figures:
            wanted = load.slow if name == "litellm" else load.requests
            return measure(sides[name], load, mocks[load.mock], max(load.streams, round(wanted * share)))

        yield from interleave(before, repeats, LOADS, list(sides), measure_load)


def tell_ceiling(result: dict[str, Any]) -> str:
    """What the engine itself allows of streams at its own pace; below the goal, no gateway could reach that one."""
    sides = result["figures"][STREAMS_64]
    pairs = zip(sides["direct"], sides["litellm"], strict=True)
    most = median(direct["requests_per_s"] / litellm["requests_per_s"] for direct, litellm in pairs)
    return (
        "64 streams at the engine's own pace (the first token after 50 ms, then one each 5 ms) are the engine's limit: "
        f"without any gateway they are {most:.1f} times LiteLLM's. In flood the engine does not wait."
    )


def find_bars(result: dict[str, Any]) -> list[Bar]:
    """The goals of the gateway, from ratios and differences within each repeat."""

    def column(load: str, side: str, figure: str) -> list[float]:
        return [repeat[figure] for repeat in result["figures"][load][side]]

    def ratios(load: str, other: str, figure: str = "requests_per_s") -> list[float]:
        pairs = zip(column(load, "course", figure), column(load, other, figure), strict=True)
        return [ours / theirs for ours, theirs in pairs]

    def added_ms(load: str, figure: str) -> list[float]:
        pairs = zip(column(load, "course", figure), column(load, "direct", figure), strict=True)
        return [(ours - theirs) * 1000 for ours, theirs in pairs]

    memory = [
        ours / theirs
        for ours, theirs in zip(
            column(FLOOD_64, "course", "resident_bytes"), column(FLOOD_64, "litellm", "resident_bytes"), strict=True
        )
    ]
    return [
        at_least("plain requests/s at 16, times LiteLLM's", ratios(PLAIN_16, "litellm"), 10),
        at_least("plain requests/s at 64, times LiteLLM's", ratios(PLAIN_64, "litellm"), 10),
        at_least("plain requests/s at 16, share of direct", ratios(PLAIN_16, "direct"), 0.2),
        at_least("plain requests/s at 64, share of direct", ratios(PLAIN_64, "direct"), 0.2),
        at_least("streams/s at 64, times LiteLLM's", ratios(STREAMS_64, "litellm"), 10),
        at_least("streams/s at 64 in flood, times LiteLLM's", ratios(FLOOD_64, "litellm"), 10),
        at_least("streams/s at 64, share of direct", ratios(STREAMS_64, "direct"), 0.85),
        at_least("flood tokens/s at 64, share of direct", ratios(FLOOD_64, "direct", "tokens_per_s"), 0.6),
        at_most("added TTFT p50 at 1", added_ms(STREAMS_1, "ttft_lag_s"), 4, " ms"),
        at_most("added TTFT p50 at 16", added_ms(STREAMS_16, "ttft_lag_s"), 10, " ms"),
        at_most("added TTFT p50 at 64", added_ms(STREAMS_64, "ttft_lag_s"), 40, " ms"),
        at_most("added token lateness p99 at 64", added_ms(STREAMS_64, "lateness_p99_s"), 10, " ms"),
        at_most("memory, share of LiteLLM's", memory, 1 / 3),
    ]


def render(result: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = []
    for load, sides in result["figures"].items():
        for side, repeats in sides.items():
            cells = [load if side == "direct" else "", side]
            for figure, scale, digits in (
                ("requests_per_s", 1, 1),
                ("tokens_per_s", 1, 0),
                ("ttft_p50_s", 1000, 1),
                ("lateness_p99_s", 1000, 1),
                ("cpu_s_per_request", 1000, 2),
                ("resident_bytes", 1 / 2**20, 0),
            ):
                values = [repeat[figure] for repeat in repeats if repeat[figure]]
                cells.append(spread(values, digits, scale) if values else "-")
            cells.append(str(sum(repeat["failed"] for repeat in repeats)))
            rows.append(cells)
    head = ("load", "through", "requests/s", "tokens/s", "TTFT p50, ms", "token lateness p99, ms", "CPU ms/request")
    line = describe(result["circumstances"], result["load_average_after"], result["repeats"])
    bars = find_bars(result)
    table = markdown_table((*head, "memory, MiB", "failed"), rows)
    return f"{line}\n\n{bar_table(bars)}\n{tell_ceiling(result)}\n\n{table}"


if __name__ == "__main__":
    sys.exit(run_script("gateway", __doc__, sit, render, find_bars))
