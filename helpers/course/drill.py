"""Situations that a production server must survive, played against a server in front of `DrillUpstreams`.

Each situation returns what was seen from all three sides, as JSON values, and judges nothing:

    {"situation", "asked": requests sent,
     "answers": [{"status", "kind", "retry_after", "pieces": [[at_s, text], ...], "failure", "sent_s", "left_s"}],
     "truth": {mock: [{"received_s", "writes_s", "tokens", "outcome", "request_id"}]}, "peaks": {mock: in flight},
     "before": {sample: value}, "after": {sample: value}}       the server's own metrics page

All times are of one clock, the machine's. `failure` names the client's error if the connection broke.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from helpers.client import background
from helpers.client.wire import Endpoint
from helpers.course.drill_upstreams import DrillUpstreams

if TYPE_CHECKING:
    import aiohttp

SETTLE_LIMIT_S = 8.0
"""How long a situation may take to come to rest: longer than the longest answer asked for."""

COUNT_LIMIT_S = 2.0
"""How long the server's metrics may lag behind what its clients have seen."""

POLL_S = 0.05
WHOLE_ANSWER_TOKENS = 80
"""About a second's worth: enough to see whether a stream flows, on a busy machine too."""

LONG_ANSWER_TOKENS = 250
"""Of an answer whose client leaves: two and a half seconds at the steady mock's pace."""

FLOOD_TOKENS = 12_000
"""For the client that does not read: six seconds of writing, and more bytes than all buffers on the way."""

SLOW_CLIENT_BUFFER_BYTES = 4096

Json = dict[str, Any]


class Drill:
    """A server under drill.

    Args:
        url: its OpenAI API, with /v1; its metrics page is /metrics beside it.
        upstreams: what it is in front of.
        api_key: a key that it knows.
    """

    def __init__(self, url: str, upstreams: DrillUpstreams, *, api_key: str) -> None:
        endpoint = Endpoint.parse(url)
        self._endpoint = endpoint
        self._root = f"http://{endpoint.authority}{endpoint.root}"
        self._url = f"http://{endpoint.authority}{endpoint.base}/chat/completions"
        self._upstreams = upstreams
        self._api_key = api_key

    def whole(self) -> Json:
        """One answer streamed, one not."""
        streamed, plain = {**request("steady"), **exactly(WHOLE_ANSWER_TOKENS)}, {**request("steady"), "stream": False}
        return self._play("whole", [(streamed, self._api_key), (plain, self._api_key)], at_once=False)

    def strangers(self) -> Json:
        """One request without a key, one with a wrong key."""
        return self._play("strangers", [(request("steady"), ""), (request("steady"), f"{self._api_key}x")])

    def burst(self, requests: int) -> Json:
        """That many requests at the same time."""
        return self._play("burst", [(request("steady", number), self._api_key) for number in range(requests)])

    def hasty(self, requests: int, api_key: str) -> Json:
        """That many short requests of another key, one after the other as fast as they are answered."""
        short = {**request("fast"), **exactly(1), "stream": False}
        return self._play("hasty", [(short, api_key)] * requests, at_once=False)

    def upstream_dies(self) -> Json:
        """The engine breaks off in the middle of an answer."""
        return self._play("upstream dies", [(request("dropping"), self._api_key)])

    def failover(self, requests: int = 6) -> Json:
        """The first engine of two answers with errors only."""
        return self._play("failover", [(request("failover", number), self._api_key) for number in range(requests)])

    def client_leaves(self) -> Json:
        """Two clients leave once the engine works for them: one of a stream, one of a plain answer."""
        long = {**request("steady"), **exactly(LONG_ANSWER_TOKENS)}

        async def play(session: "aiohttp.ClientSession") -> list[Json]:
            return [await self._leave(session, long), await self._leave(session, {**long, "stream": False})]

        return self._watched("client leaves", 2, play)

    def slow_client(self) -> Json:
        """A client asks for a very long answer and reads nothing of it."""
        flood = {**request("fast"), **exactly(FLOOD_TOKENS)}

        async def play(session: "aiohttp.ClientSession") -> list[Json]:
            return [await self._never_read(session.json_serialize(flood).encode())]

        return self._watched("slow client", 1, play)

    def _play(self, situation: str, asked: Sequence[tuple[Json, str]], *, at_once: bool = True) -> Json:
        async def play(session: "aiohttp.ClientSession") -> list[Json]:
            asking = [ask(session, self._url, fields, api_key) for fields, api_key in asked]
            return list(await asyncio.gather(*asking)) if at_once else [await one for one in asking]

        return self._watched(situation, len(asked), play)

    def _watched(self, situation: str, asked: int, play: "Callable[[aiohttp.ClientSession], Awaitable[Any]]") -> Json:
        """Play a situation, wait until the mocks have come to rest, and put all sides together."""

        async def watch() -> Json:
            import aiohttp

            self._upstreams.reset()
            timeout = aiohttp.ClientTimeout(total=SETTLE_LIMIT_S + 30)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
                before = await self._metrics(session)
                answers = await play(session)
                truth = await self._until(lambda books: not open_requests(books))
                after = await self._resting_metrics(session, requests_ended(before) + asked)
            return {
                "situation": situation,
                "asked": asked,
                "answers": answers,
                "truth": {name: book["requests"] for name, book in truth.items()},
                "peaks": {name: book["peak_in_flight"] for name, book in truth.items()},
                "before": before,
                "after": after,
            }

        return background.run(watch())

    async def _leave(self, session: "aiohttp.ClientSession", fields: Json) -> Json:
        known = len((await self._books())["steady"]["requests"])
        asking = asyncio.ensure_future(ask(session, self._url, fields, self._api_key))
        await self._until(lambda books: len(books["steady"]["requests"]) > known and has_begun(books, fields))
        asking.cancel()
        return await asking

    async def _never_read(self, body: bytes) -> Json:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_CLIENT_BUFFER_BYTES)
        connection.setblocking(False)
        address = self._endpoint.host, self._endpoint.port
        await asyncio.get_running_loop().sock_connect(connection, address)
        head = (
            f"POST {self._endpoint.base}/chat/completions HTTP/1.1\r\nHost: {self._endpoint.authority}\r\n"
            f"Authorization: Bearer {self._api_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        sent_s = perf_counter()
        try:
            await asyncio.get_running_loop().sock_sendall(connection, head.encode() + body)
            await self._until(lambda books: bool(books["fast"]["requests"]) and not open_requests(books))
        finally:
            connection.close()
        return {**new_answer(), "sent_s": sent_s}

    async def _books(self) -> dict[str, Json]:
        return {name: asdict(book) for name, book in (await asyncio.to_thread(self._upstreams.truth)).items()}

    async def _until(self, holds: Callable[[dict[str, Json]], bool]) -> dict[str, Json]:
        """The mocks' books as soon as something holds of them, or as they are when the time is up."""
        deadline_s = monotonic() + SETTLE_LIMIT_S
        while not holds(books := await self._books()) and monotonic() < deadline_s:
            await asyncio.sleep(POLL_S)
        return books

    async def _resting_metrics(self, session: "aiohttp.ClientSession", ended: float) -> dict[str, float]:
        """The metrics once all requests have ended and nothing is in flight, or as they are when the time is up."""
        deadline_s = monotonic() + COUNT_LIMIT_S
        while samples := await self._metrics(session):
            if (requests_ended(samples) >= ended and not any(in_flight(samples))) or monotonic() > deadline_s:
                break
            await asyncio.sleep(POLL_S)
        return samples

    async def _metrics(self, session: "aiohttp.ClientSession") -> dict[str, float]:
        headers = {"Authorization": f"Bearer {self._api_key}"}
        async with session.get(f"{self._root}/metrics", headers=headers) as answer:
            return read_samples(await answer.text()) if answer.status == 200 else {}


def request(model: str, number: int = 0) -> Json:
    """A streaming request; those of different numbers begin differently."""
    messages = [{"role": "user", "content": f"{number}. What is a token bucket?"}]
    return {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}


def exactly(tokens: int) -> Json:
    """Fields that make a mock write so many tokens."""
    return {"max_tokens": tokens, "ignore_eos": True}


def new_answer() -> Json:
    """An answer of which nothing is known yet."""
    return {"status": 0, "kind": "", "retry_after": "", "pieces": [], "failure": "", "sent_s": None, "left_s": None}


async def ask(session: "aiohttp.ClientSession", url: str, fields: Json, api_key: str) -> Json:
    """Send a request and keep all that comes back; cancelled, the client leaves, and that is kept too."""
    import aiohttp

    answer = new_answer()
    answer["sent_s"] = perf_counter()
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    body = {name: value for name, value in fields.items() if name != "stream_options" or fields["stream"]}
    try:
        async with session.post(url, json=body, headers=headers) as response:
            answer["status"] = response.status
            answer["kind"] = response.headers.get("Content-Type", "")
            answer["retry_after"] = response.headers.get("Retry-After", "")
            async for piece in response.content.iter_any():
                answer["pieces"].append([perf_counter(), piece.decode("utf-8", "replace")])
    except asyncio.CancelledError:
        answer["left_s"] = perf_counter()
    except (aiohttp.ClientError, TimeoutError) as error:
        answer["failure"] = type(error).__name__
    return answer


def read_samples(page: str) -> dict[str, float]:
    """Sample -> value of a Prometheus page, as name{label="value"}; without buckets and times of creation."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created")):
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
    return samples


def in_flight(samples: dict[str, float]) -> list[float]:
    """The values of all samples that count what is in flight."""
    return [value for name, value in samples.items() if name.partition("{")[0].endswith("in_flight")]


def requests_ended(samples: dict[str, float]) -> float:
    """The sum of all samples that count requests."""
    return sum(value for name, value in samples.items() if name.partition("{")[0].endswith("requests_total"))


def open_requests(books: dict[str, Json]) -> int:
    """Requests that the mocks still work on."""
    return sum(entry["outcome"] == "open" for book in books.values() for entry in book["requests"])


def has_begun(books: dict[str, Json], fields: Json) -> bool:
    """True if the steady mock writes its latest answer; of a plain answer nothing is seen before its end."""
    return not fields["stream"] or bool(books["steady"]["requests"][-1]["writes_s"])
