# %% [markdown] id="intro"
# # Task 12.5: Production API
#
# **After this task you can** put a server of your own in front of an engine: one that streams, lets in only who may
# come, bounds what it takes on, lets go of work that nobody waits for, says in its metrics what happens to it, and
# whose cost you have measured.
#
# **It takes** 2 hours: sections 1 to 6 are the core (75 minutes), 7 is the load test with milestone 2 (25 minutes), 8
# is marked *further* (20 minutes). It needs 2 cores and 2 GB of memory; no GPU. Run unattended, all of it takes some
# minutes at most.
#
# **You should know** what TTFT is (task 12.1), what an HTTP request is, and what `async def` and `await` mean in
# Python. Check yourself: while one coroutine waits at an `await`, who may run in its thread? (Every other task of the
# same event loop. And while it computes, or waits *without* `await`? Nobody. Section 3 is about that.)
#
# | section | what | minutes |
# |---|---|---|
# | 1, 2 | the stream on the wire; the smallest server | 20 |
# | 3 | one blocking call | 10 |
# | 4, 5 | keys, rates, a queue; metrics | 25 |
# | 6 | four failures, and where you see them; milestone 1 | 20 |
# | 7 | the load test, against no server in between; milestone 2 | 25 |
# | 8 | further: the course's gateway under the same drill | 20 |

# %% id="setup"
import asyncio
import contextlib
import hmac
import json
import math
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from hashlib import sha256
from types import SimpleNamespace
from urllib.parse import urlsplit

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="guessing"
# ## How to read this notebook
# Before each measurement you are asked for a guess. Write it into its cell (`guess = 2.0`) before you run the next
# one. Every sentence about a result is made from what was measured a moment ago, on this machine.
#
# Two kinds of engine stand behind the servers of this notebook, and each figure says which. The **course model** on a
# real engine answers questions. The **mock server** answers nothing sensible, but writes each token at a known time,
# fails on purpose, and keeps the *truth*: what each request really got, and when. Whether a server lets go of an
# abandoned request can be seen only from behind it.


# %% [markdown] id="s1"
# ## 1. The stream on the wire
# Start an engine, open a socket, and look at the bytes that come back when `"stream": true` is asked for. (Its prefix
# cache is off: section 7 asks the same prompts with and without a server in between, and whoever came second would
# find the first one's work.)

# %% id="start"
engine_server = helpers.launch(engine, model, max_num_seqs=8, prefix_caching=False)
print(engine_server.backend)

# %% id="wire"
place = urlsplit(engine_server.url)
question = {"role": "user", "content": "What is a token?"}
body = json.dumps({"model": engine_server.model, "messages": [question], "stream": True, "max_tokens": 8}).encode()
with socket.create_connection((place.hostname, place.port)) as connection:
    head = f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {engine_server.api_key}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    reads = []
    while data := connection.recv(65536):
        reads.append(data)
print(b"".join(reads).decode()[:1200])
print(f"... {len(b''.join(reads)):,} bytes in {len(reads)} reads of the socket")

# %% [markdown] id="wire-text"
# The bytes have three layers:
#
# - **HTTP/1.1** sends the body in *chunks*, each with its length (in hexadecimal) in front, because nobody knows yet
#   how long the whole answer is.
# - **Server-sent events** (SSE): lines that begin with `data:`, and an empty line that ends an event.
# - **OpenAI**: each event is a JSON object whose `delta` holds a piece of the text; the last event is `[DONE]`.
#
# A read of the socket follows none of these borders: it may hold half an event, or three. A program that *reads* a
# stream must put the pieces together before it takes events apart; one that only *passes it on* need not look inside.

# %% [markdown] id="s2"
# ## 2. The smallest server
# A server between client and engine takes a request, sends it on, and passes the bytes back **as they come**. Here is
# all of it.

# %% id="server-setup"
import aiohttp
import prometheus_client as prometheus
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import Headers


# %% id="relay"
async def relay(upstream: str, body: bytes) -> AsyncIterator[bytes]:
    """The engine's bytes, as they come."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{upstream}/chat/completions", data=body, headers={"Content-Type": "application/json"}) as answer,
    ):
        async for piece in answer.content.iter_any():
            yield piece


# %% id="create-smallest"
def create_smallest(upstream: str) -> FastAPI:
    """The same API twice: at /v1, and with the second relay at /blocking/v1."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> StreamingResponse:
        return StreamingResponse(relay(upstream, await request.body()), media_type="text/event-stream")

    @app.post("/blocking/v1/chat/completions")
    async def chat_blocking(request: Request) -> StreamingResponse:
        return StreamingResponse(relay_blocking(upstream, await request.body()), media_type="text/event-stream")

    return app


# %% [markdown] id="blocking-code-text"
# The second path uses the same relay as it is often written, with a library that is not asynchronous. Find the
# difference before you read on.


# %% id="relay-blocking"
async def relay_blocking(upstream: str, body: bytes) -> AsyncIterator[bytes]:
    """The engine's bytes, as they come."""
    request = urllib.request.Request(f"{upstream}/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        for line in answer:
            yield line


# %% [markdown] id="process-text"
# A server should not run in a cell: it would share the notebook's event loop and die with it. `helpers.AppProcess`
# writes your function, and everything it uses, into a file, and serves the app from a process of its own for as long as
# the `with` block lasts. Open the file: it is what you would deploy.

# %% id="first-answer"
upstream = engine_server.url
if engine_server.api_key:
    print("this engine wants a key, which the smallest server does not pass on: asking the engine itself")
    print(engine_server.chat("What is a token?", max_tokens=64, temperature=0))
else:
    with helpers.AppProcess(create_smallest, run_dir / "smallest.py", upstream=upstream) as server:
        through = helpers.Client(server.url, engine_server.model).chat("What is a token?", max_tokens=64, temperature=0)
    direct = engine_server.chat("What is a token?", max_tokens=64, temperature=0)
    print(through)
    print("the same words as without it:", through.text == direct.text)
    print(f"{len(through.record.chunk_s)} pieces arrived, the first after {through.record.ttft_s * 1000:.0f} ms")

# %% [markdown] id="s3"
# ## 3. One blocking call
# The two relays differ in how they wait. `async for` gives the event loop back while it waits; `for line in answer`
# keeps it, and **nobody else in the process gets a turn**: no other stream, no health check.
#
# One user first, then eight at once. The engine is the mock: first token after 50 ms, then one every 5 ms, 32 in all,
# however many ask. **Guess: with eight users at once, how many times as long does the slowest wait for its first token
# behind the blocking relay as behind the other?**

# %% id="guess-blocking"
guess = None

# %% id="blocking"
runs = {}
asked = helpers.given_prompts(["Anything."], output_tokens=32)
with (
    helpers.MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=32) as mock,
    helpers.AppProcess(create_smallest, run_dir / "smallest.py", upstream=mock.url) as server,
):
    for name, path in (("asynchronous", "/v1"), ("blocking", "/blocking/v1")):
        one = SimpleNamespace(url=server.root + path, model="mock", engine=name, precision="none")
        for users in (1, 8):
            runs[name, users] = helpers.measure(one, asked, helpers.ClosedLoop(users), requests=users, warmup=1)

# %% id="blocking-table"
helpers.table(
    [
        {
            "relay": name,
            "users at once": users,
            "TTFT of the quickest, ms": min(record.ttft_s for record in run.records) * 1000,
            "TTFT of the slowest, ms": max(record.ttft_s for record in run.records) * 1000,
            "engine": "mock",
        }
        for (name, users), run in runs.items()
    ]
)

# %% id="blocking-result"
slowest_s = {key: max(record.ttft_s for record in run.records) for key, run in runs.items()}
ratio = {users: slowest_s["blocking", users] / slowest_s["asynchronous", users] for users in (1, 8)}
print("eight users:", helpers.beside(guess, ratio[8], "times as long, engine: mock"))
print(f"one user: {ratio[1]:.2f} times as long")
helpers.timeline(runs["blocking", 8].records, "Eight users behind the blocking relay, engine: mock server")

# %% [markdown] id="blocking-read"
# Compare the ratio with one user and with eight. Where the first is near 1, a test with one user finds nothing, and
# that is how this mistake reaches production. Every handler makes it that calls `requests`, `time.sleep` or a blocking
# database driver, or tokenizes a long text, without giving the loop back.
#
# Ways out: a library that waits asynchronously (here `aiohttp`); `await asyncio.to_thread(...)` for a single blocking
# call; a plain `def` handler, which FastAPI runs in a pool of 40 threads: with 41 such requests at once, one waits
# again.

# %% [markdown] id="s4"
# ## 4. Who may come in, how often, and how many
# From here on the server grows in **layers**. An ASGI app is a function `(scope, receive, send)`; a layer is an app
# with another app inside. Its `__call__` returns only when the answer has gone out *to its last byte*, so whatever a
# layer holds (a place, a stop-watch) it holds for exactly as long as the request lives. A function under
# `@app.middleware("http")` does not: when its `call_next` returns, only the headers of a stream are ready.
#
# Every layer may refuse, in the form that OpenAI's clients read:


# %% id="refusal"
def refusal(status: int, why: str, retry_after_s: int | None = None) -> JSONResponse:
    """An error in OpenAI's form; itself an ASGI app."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse({"error": {"message": why, "type": "refused", "code": status}}, status, headers)


# %% [markdown] id="key-text"
# **Keys.** The server keeps digests, never keys: a stolen list opens nothing. It compares with `hmac.compare_digest`,
# whose time does not depend on how many characters agree. `==` stops at the first that differs, so its time says how
# far a guess was right.


# %% id="check-key"
class CheckKey:
    """Lets in who has a key, and notes whose it is."""

    def __init__(self, app, digests: dict[str, str]) -> None:
        self.app, self.digests = app, digests

    async def __call__(self, scope, receive, send) -> None:
        presented = Headers(scope=scope).get("authorization", "").removeprefix("Bearer ")
        digest = sha256(presented.encode()).hexdigest()
        holders = [name for name, known in self.digests.items() if hmac.compare_digest(known, digest)]
        if not holders:
            await refusal(401, "This needs a valid key: 'Authorization: Bearer ...'.")(scope, receive, send)
            return
        scope["key"] = holders[0]
        await self.app(scope, receive, send)


# %% [markdown] id="rate-text"
# **Rates.** A *token bucket* (no relation to the model's tokens) holds up to `capacity` tokens and gains `per_s` of
# them each second. A request takes one, or is told when there will be one. So a burst of up to `capacity` requests
# passes, and in the long run `per_s` requests a second. Its whole state is two numbers.


# %% id="bucket"
class Bucket:
    """Holds up to `capacity` tokens, gains `per_s` each second."""

    def __init__(self, capacity: float, per_s: float) -> None:
        self.capacity, self.per_s = capacity, per_s
        self.level, self.filled_s = capacity, time.monotonic()

    def take(self) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        now_s = time.monotonic()
        self.level = min(self.capacity, self.level + (now_s - self.filled_s) * self.per_s)
        self.filled_s = now_s
        if self.level < 1:
            return (1 - self.level) / self.per_s
        self.level -= 1
        return 0.0


# %% id="limit-rate"
class LimitRate:
    """A bucket for each key; who finds it empty is told when to come back."""

    def __init__(self, app, capacity: float, per_s: float) -> None:
        self.app, self.capacity, self.per_s = app, capacity, per_s
        self.buckets: dict[str, Bucket] = {}

    async def __call__(self, scope, receive, send) -> None:
        bucket = self.buckets.setdefault(scope["key"], Bucket(self.capacity, self.per_s))
        if wait_s := bucket.take():
            await refusal(429, "This key asks too often.", math.ceil(wait_s))(scope, receive, send)
            return
        await self.app(scope, receive, send)


# %% [markdown] id="queue-text"
# **Places.** An engine computes a bounded number of requests at once; more of them wait inside it, where nobody sees
# them. So the server lets a bounded number run and a bounded number wait, and answers the rest at once with **429** and
# `Retry-After`: a refusal after a millisecond is worth more than a time-out after a minute. Without a bound the queue,
# and everybody's wait, grows for as long as more requests come than are served.


# %% id="wait-for-place"
class WaitForPlace:
    """So many requests run, so many wait, the rest are sent away."""

    def __init__(self, app, places: int, max_waiting: int, metrics: "Metrics") -> None:
        self.app, self.places, self.max_waiting, self.metrics = app, places, max_waiting, metrics
        self.free = asyncio.Semaphore(places)  # first come, first served
        self.waiting, self.mean_held_s = 0, 1.0

    async def __call__(self, scope, receive, send) -> None:
        if self.free.locked() and self.waiting >= self.max_waiting:
            wait_s = math.ceil((self.waiting + 1) * self.mean_held_s / self.places)
            await refusal(429, "Too many requests are waiting.", min(60, max(1, wait_s)))(scope, receive, send)
            return
        async with hold_place(self):
            await self.app(scope, receive, send)


# %% id="hold-place"
@contextlib.asynccontextmanager
async def hold_place(layer: "WaitForPlace") -> AsyncIterator[None]:
    """Wait for a place and hold it; it is given back however the request ends."""
    layer.waiting += 1
    layer.metrics.waiting.set(layer.waiting)
    try:
        await layer.free.acquire()
    finally:
        layer.waiting -= 1
        layer.metrics.waiting.set(layer.waiting)
    begun_s = time.monotonic()
    layer.metrics.in_flight.inc()
    try:
        yield
    finally:
        layer.metrics.in_flight.dec()
        layer.free.release()
        layer.mean_held_s += 0.2 * (time.monotonic() - begun_s - layer.mean_held_s)


# %% [markdown] id="s5"
# ## 5. Saying what happens, and letting go
# **Metrics.** Prometheus asks a server every few seconds for its numbers: counters only grow, gauges go up and down,
# histograms count observations by size. The metrics here answer four questions. How many requests ended, and *how*? How
# many are in there now? How long did the first token take? What did the engines do?


# %% id="metrics"
class Metrics:
    """The server's numbers; `registry` is what /metrics shows."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        own = {"registry": self.registry, "namespace": "own"}
        self.requests = prometheus.Counter("requests", "Requests that have ended", ["outcome"], **own)
        self.failures = prometheus.Counter("upstream_failures", "What engines did", ["cause"], **own)
        self.in_flight = prometheus.Gauge("in_flight", "Requests that have a place", **own)
        self.waiting = prometheus.Gauge("waiting", "Requests that wait for a place", **own)
        bounds_s = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
        self.ttft_s = prometheus.Histogram("ttft_seconds", "Arrival to first piece", buckets=bounds_s, **own)


# %% [markdown] id="count-text"
# The layer that counts wraps `send`, so that it sees the status, the first piece and the end. An answer that never
# came to its end is not "ok", whatever its status said: the client left, or was too slow.


# %% id="count"
class Count:
    """Counts every request by how it ended, and times its first piece."""

    def __init__(self, app, metrics: "Metrics") -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope, receive, send) -> None:
        sending = Sending(send, self.metrics)
        scope["notes"] = notes = {}  # what the layers inside have to say
        try:
            await self.app(scope, receive, sending)
        except TimeoutError:
            notes["outcome"] = "slow_client"
        finally:
            ended = f"status_{sending.status}" if sending.status >= 400 else "ok"
            outcome = notes.get("outcome", ended if sending.complete else "client_left")
            self.metrics.requests.labels(outcome).inc()


# %% id="sending"
class Sending:
    """`send`, watched."""

    def __init__(self, send, metrics: "Metrics") -> None:
        self.send, self.metrics, self.begun_s = send, metrics, time.perf_counter()
        self.status, self.pieces, self.complete = 0, 0, False

    async def __call__(self, message) -> None:
        await self.send(message)
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
            self.pieces += 1
            if self.pieces == 1 and self.status == 200:
                self.metrics.ttft_s.observe(time.perf_counter() - self.begun_s)


# %% [markdown] id="cancel-text"
# **The client has left.** Closing a browser tab costs the client nothing; the engine may go on working for it for
# seconds. Once a request's body has been read, ASGI's `receive` returns only one more message: `http.disconnect`. So a
# task must wait for it *all the time*, also while the request waits in the queue or for its first token, and then
# cancel everything that is done for this client. Cancelling closes the connection to the engine, and by that the engine
# learns that nobody waits.


# %% id="cancel"
class CancelWhenGone:
    """Ends a request when its client has left: what it waits for, a place or the engine, is let go."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        inbox, gone = asyncio.Queue(), asyncio.Event()
        watcher = asyncio.create_task(watch(receive, inbox, gone, asyncio.current_task()))
        try:
            await self.app(scope, inbox.get, send)
        except asyncio.CancelledError:
            if not gone.is_set():  # somebody else's wish, such as the server's end
                raise
        finally:
            watcher.cancel()


# %% id="watch"
async def watch(receive, inbox: asyncio.Queue, gone: asyncio.Event, task: asyncio.Task) -> None:
    """Hand on what the client sends; when it leaves, cancel its request."""
    message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
        await inbox.put(message)
    gone.set()
    task.cancel()


# %% [markdown] id="slow-text"
# **The client does not read.** Once the buffers on the way are full, `send` does not return: the request keeps its
# place, and the engine its slot, without end. A time limit on each `send` ends that.


# %% id="slow-client"
class DropSlowClient:
    """Gives up on a client that does not take a piece within `limit_s`."""

    def __init__(self, app, limit_s: float) -> None:
        self.app, self.limit_s = app, limit_s

    async def __call__(self, scope, receive, send) -> None:
        async def send_in_time(message) -> None:
            async with asyncio.timeout(self.limit_s):
                await send(message)

        await self.app(scope, receive, send_in_time)


# %% [markdown] id="upstreams-text"
# **The engine fails.** What can be done depends on one moment: the *first byte* to the client. Before it, another
# engine may be tried, and a failure can still become a status. After it, part of an answer is on the client's screen. A
# second engine would write other words, so all that is left is to **say** that the answer broke off: a stream that just
# ends looks like a short answer.
#
# One failure is harmless: engines close connections that were idle for some seconds, and a request may meet one that is
# being closed. So the server gives up idle connections sooner than engines do, and each engine gets a second chance,
# before the first byte only.


# %% id="ask-upstreams"
async def ask_upstreams(engines, urls: list[str], body: bytes, stream: bool, notes: dict) -> AsyncIterator[bytes]:
    """The answer of the first engine that begins one; raises Failed if none does, or one refuses the request."""
    for url in urls * 2:  # the second time round for connections that an engine closed just before it was asked
        begun = False
        try:
            async for piece in ask(engines, url, body, stream):
                begun = True
                yield piece
            return
        except aiohttp.ClientError as error:
            engines.metrics.failures.labels(type(error).__name__).inc()
            if begun:
                notes["outcome"] = "cut"
                yield broken_off()
                return
    raise Failed(502, "No engine answered.")


# %% id="ask"
async def ask(engines, url: str, body: bytes, stream: bool) -> AsyncIterator[bytes]:
    """One engine's answer: a stream piece by piece, a plain answer only once it is complete."""
    async with engines.session.post(f"{url}/chat/completions", data=body) as answer:
        if answer.status >= 500:
            raise aiohttp.ClientPayloadError(f"status {answer.status}")
        if answer.status != 200:
            raise Failed(answer.status, await answer.text())
        if not stream:
            yield await answer.read()
            return
        async for piece in answer.content.iter_any():
            yield piece


# %% id="upstream-parts"
class Failed(Exception):
    """No answer: the status and the words for the client, who learns no address and no stack trace."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def broken_off() -> bytes:
    """The event that ends a stream which cannot go on; the empty line before it ends the event that may be cut."""
    error = {"error": {"message": "The engine ended the answer before it was complete.", "code": "upstream_lost"}}
    return b"\n\ndata: " + json.dumps(error).encode() + b"\n\n"


# %% [markdown] id="api-text"
# The path itself asks for the first piece *before* it decides about the status: an answer that never began becomes an
# error with a status, not an empty stream with a 200. `X-Accel-Buffering: no` tells nginx and its like not to collect
# pieces, `Cache-Control: no-cache` tells caches not to answer from a copy.


# %% id="add-chat"
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def add_chat(api: FastAPI, engines: "Engines") -> None:
    """Serve /chat/completions."""

    @api.post("/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.body()
        wanted, urls = engines.find(body)
        if not urls:
            return refusal(404, "There is no such model here.")
        stream = wanted.get("stream") is True
        pieces = ask_upstreams(engines, urls, body, stream, request.scope["notes"])
        try:
            first = await anext(pieces)
        except Failed as failed:
            return refusal(failed.status, failed.why)
        kind = "text/event-stream" if stream else "application/json"
        return Relayed(chain(first, pieces), headers=STREAM_HEADERS, media_type=kind)


# %% id="relayed"
class Relayed(StreamingResponse):
    """Closes its pieces, and so the connection to the engine, however the sending ends."""

    async def __call__(self, scope, receive, send) -> None:
        async with contextlib.aclosing(self.body_iterator):
            await super().__call__(scope, receive, send)


def add_models(api: FastAPI, engines: "Engines") -> None:
    """Serve /models, which clients ask for first."""

    @api.get("/models")
    async def models() -> dict:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in engines.routes]}


# %% id="engines"
class Engines:
    """Which engines serve which model, and the connections to them."""

    def __init__(self, routes: dict[str, list[str]], key: str, metrics: Metrics) -> None:
        self.routes, self.key, self.metrics = routes, key, metrics

    @contextlib.asynccontextmanager
    async def connected(self, app: FastAPI) -> AsyncIterator[None]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        patience = aiohttp.ClientTimeout(total=None, connect=2, sock_read=60)
        connections = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)  # shorter than engines keep theirs
        async with aiohttp.ClientSession(connector=connections, headers=headers, timeout=patience) as self.session:
            yield

    def find(self, body: bytes) -> tuple[dict, list[str]]:
        try:
            wanted = json.loads(body)
            return wanted, self.routes.get(wanted["model"], [])
        except (ValueError, KeyError, TypeError):
            return {}, []


# %% id="chain"
async def chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first piece, then the others."""
    yield first
    async for piece in rest:
        yield piece


# %% id="create-app"
def create_app(routes, digests, limits, cancel=True, upstream_key="") -> FastAPI:
    """The server: layers around the API, and two pages that need no place in the queue."""
    metrics = Metrics()
    engines = Engines(routes, upstream_key, metrics)
    api = FastAPI()
    add_chat(api, engines)
    add_models(api, engines)
    guarded = WaitForPlace(DropSlowClient(api, limits["slow_client_s"]), *limits["queue"], metrics)
    guarded = Count(CheckKey(LimitRate(guarded, *limits["rate"]), digests), metrics)
    app = FastAPI(lifespan=engines.connected)
    add_pages(app, metrics)
    app.mount("/v1", CancelWhenGone(guarded) if cancel else guarded)
    return app


# %% id="add-pages"
def add_pages(app: FastAPI, metrics: Metrics) -> None:
    """Pages for machines that watch: /health and /metrics."""

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def show_metrics() -> Response:
        page = prometheus.generate_latest(metrics.registry)
        return Response(page, media_type=prometheus.CONTENT_TYPE_LATEST)


# %% [markdown] id="s6"
# ## 6. Four failures, and where you see them
# Now the drill: first the ordinary case, a crowd and a hasty client, then four failures (a client that leaves, an
# engine that dies, an engine that only fails, a client that does not read). Behind the server stand five mock servers:
# a steady one, one that breaks off every answer halfway, one that answers everything with an error, a healthy one
# beside it, and a very fast one. The server has **2 places, 4 may wait**, and each key has a bucket of 30 requests that
# gains one every three seconds.

# %% id="start-drill"
LIMITS = {"queue": [2, 4], "rate": [30, 1 / 3], "slow_client_s": 1.0}
keys = {"learner": "ck-a-secret-of-mine", "hasty": "ck-another-secret"}
digests = {name: sha256(key.encode()).hexdigest() for name, key in keys.items()}
upstreams = helpers.DrillUpstreams().start()
server = helpers.AppProcess(
    create_app, run_dir / "server.py", routes=upstreams.routes, digests=digests, limits=LIMITS
).start()
drill = helpers.Drill(server.url, upstreams, api_key=keys["learner"])
print(f"{server.file.name}: {len(server.file.read_text().splitlines())} lines, at {server.url}")


# %% id="show"
def show(record: dict) -> helpers.Table:
    """A situation from three sides: the clients, the engines, the server's own metrics."""
    seen = [answer["status"] or "no answer read" for answer in record["answers"]]
    print("clients saw:", ", ".join(f"{seen.count(status)} x {status}" for status in dict.fromkeys(seen)))
    for name, entries in record["truth"].items():
        ends = [entry["outcome"] for entry in entries]
        if ends:
            print(f"mock {name!r} saw:", ", ".join(f"{ends.count(end)} x {end}" for end in dict.fromkeys(ends)))
    before, after = record["before"], record["after"]
    moved = [name for name in after if after[name] != before.get(name, 0) and not name.endswith("_sum")]
    rows = [{"metric": name, "before": int(before.get(name, 0)), "after": int(after[name])} for name in moved]
    return helpers.table(rows or [{"metric": "none moved", "before": None, "after": None}])


# %% [markdown] id="whole-text"
# ### Nothing goes wrong
# One answer as a stream, one in one piece; then two strangers, one without a key and one with a wrong key. *Which of
# the four requests does an engine see?*

# %% id="whole"
whole_record, strangers = drill.whole(), drill.strangers()
text = "".join(piece for _, piece in whole_record["answers"][0]["pieces"])
print(text[:300], "...", text[-16:].strip(), sep="\n")
show(whole_record)

# %% id="strangers"
show(strangers)

# %% [markdown] id="burst-text"
# ### A burst
# Twelve requests at the same moment. **Guess: how many of them are sent away with 429?** And how many does the engine
# have at once, at most?

# %% id="guess-burst"
guess = None

# %% id="burst"
burst = drill.burst(12)
refused = [answer for answer in burst["answers"] if answer["status"] == 429]
print(helpers.beside(guess, len(refused), "of 12 sent away, engine: mock"))
print("they were told to come back after", ", ".join(sorted({answer["retry_after"] for answer in refused})), "s")
print(f"at the engine at most {burst['peaks']['steady']} at once, of {LIMITS['queue'][0]} places")
show(burst)

# %% [markdown] id="hasty-text"
# ### One client in a loop
# Another key sends one short request after the other. It never has two at once, so the queue cannot stop it. *Does the
# first key suffer?*

# %% id="hasty"
hasty = drill.hasty(48, keys["hasty"])
told = [answer["retry_after"] for answer in hasty["answers"] if answer["status"] == 429]
print(f"{48 - len(told)} answered, {len(told)} told to come back after {told[0] if told else '-'} s")
other = helpers.Client(server.url, "steady", keys["learner"]).chat("And I?", max_tokens=3)
print("the first key still gets:", other)
show(hasty)

# %% [markdown] id="leaves-text"
# ### The client leaves
# Two clients ask for 250 tokens, two and a half seconds of work, and leave as soon as the engine works for them: one
# asked for a stream, the other for a plain answer. **Guess: how many tokens does the engine still write for the first
# one?** Then the same server *without* its layer `CancelWhenGone`.

# %% id="guess-leaves"
guess = None

# %% id="leaves"
leaves = drill.client_leaves()
show(leaves)

# %% id="leaves-without"
with helpers.AppProcess(
    create_app, run_dir / "careless.py", routes=upstreams.routes, digests=digests, limits=LIMITS, cancel=False
) as careless:
    careless_leaves = helpers.Drill(careless.url, upstreams, api_key=keys["learner"]).client_leaves()
rows = []
for name, record in {"with the layer": leaves, "without it": careless_leaves}.items():
    for kind, answer, entry in zip(("stream", "plain"), record["answers"], record["truth"]["steady"], strict=True):
        late = [at_s for at_s in entry["writes_s"] if at_s > answer["left_s"]]
        rows.append({"server": name, "answer": kind, "the engine's end of it": entry["outcome"]})
        rows[-1] |= {"tokens written": entry["tokens"], "writes after the client had left": len(late)}
print(helpers.beside(guess, rows[0]["writes after the client had left"], "tokens for nobody, engine: mock"))
helpers.table(rows)

# %% [markdown] id="leaves-read"
# A plain answer is a single write at its end, so what counts in its rows is how the engine's work ended: *cancelled*,
# or *ok*, which means that all of it was computed, and thrown away. A framework may watch for the client while it
# streams; who watches while the server waits for the first token, or for a place?
#
# ### The engine dies, or only fails
# First an engine breaks off in the middle of an answer. Then one of two engines answers every request with an error.
# *Which of the two does a client notice?*

# %% id="dies"
dies = drill.upstream_dies()
print("the client's last words:", dies["answers"][0]["pieces"][-1][1].split("data: ")[-1].strip())
show(dies)

# %% id="failover"
failover = drill.failover()
show(failover)

# %% [markdown] id="slow-drill-text"
# ### The client that does not read
# It asks for 12,000 tokens and reads nothing. The buffers on the way take what they can hold; then `send` waits. *How
# does the request end, and which metric says so?*

# %% id="slow-drill"
slow = drill.slow_client()
entry = slow["truth"]["fast"][0]
print(f"the engine wrote {entry['tokens']:,} of 12,000 tokens: {entry['outcome']}")
show(slow)

# %% [markdown] id="milestone-server-text"
# ### Milestone: a production server
# It counts if answers are whole and streams flow; if strangers are refused; if a burst and a hasty client get 429 with
# `Retry-After`, and the engine never has more requests than there are places; if an answer that broke off says so and
# an engine that fails is replaced; and if the engine stops working for clients that left. The judge looks at what
# clients and mocks recorded, not at what was printed here.

# %% id="milestone-12-5-server"
server.stop()
situations = [whole_record, strangers, burst, hasty, leaves, dies, failover]
helpers.milestone(
    "12.5.server",
    evidence={"places": LIMITS["queue"][0], "situations": situations},
    run_dir=run_dir,
    backend="own server (FastAPI, one process) in front of mock upstreams",
)

# %% [markdown] id="s7"
# ## 7. What does it cost?
# A server in between takes time for every piece that it passes on. How much is found by asking *with* and *without* it,
# under the same load, in turn: direct, own, gateway, then the other way round. The course's gateway (`./course serve`)
# does all that yours does and more: Ollama's API, usage in a database, circuit breakers, draining. The engine is the
# mock: 50 ms to the first token, then 5 ms each, whoever asks; so a difference comes from what stands in between.
#
# **Guess: at 8 streams, how many milliseconds does your server add to the time to first token?**

# %% id="guess-added"
guess = None

# %% id="start-load"
OPEN = {"queue": [64, 64], "rate": [1e6, 1e6], "slow_client_s": 10.0}
mock = helpers.MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=32).start()
routes = {"mock": [mock.url], engine_server.model: [engine_server.url]}
own = helpers.AppProcess(
    create_app, run_dir / "own.py", routes=routes, digests=digests, limits=OPEN, upstream_key=engine_server.api_key
).start()
through_own = helpers.attach(own.url, model="mock", engine="own server", api_key=keys["learner"])
database = f"sqlite:///{run_dir / 'gateway.sqlite'}"
gateway = helpers.GatewayProcess("--upstream", f"mock={mock.url}", "--no-keys", "--no-ui", "--database", database)
through_gateway = helpers.attach(gateway.start().url, model="mock", engine="gateway")

# %% id="load"
load_folder = helpers.new_folder(run_dir, "bundle-load")
servers = {"direct": mock, "own": through_own, "gateway": through_gateway}
asked = helpers.given_prompts(["Anything."], output_tokens=32)
repeats = 5 if quick else 10
comparison = helpers.compare(
    servers, asked, helpers.ClosedLoop(8), 16 if quick else 64, repeats=repeats, out=load_folder
)


# %% id="added"
def added_ttft_s(comparison: helpers.Comparison, label: str):
    """What a server adds to the median TTFT of going direct: mean and interval over the paired repeats."""
    pairs = zip(comparison.runs[0].repeat_metrics, comparison[label].repeat_metrics, strict=True)
    return helpers.bootstrap([through.ttft_s.p50 - direct.ttft_s.p50 for direct, through in pairs])


def in_words(found) -> str:
    """An added time, its interval, and whether it shows anything."""
    shown = "no addition shown" if found.contains(0) else "an addition" if found.estimate > 0 else "less than direct"
    return f"{found.estimate * 1000:+.1f} ms ({found.low * 1000:+.1f} to {found.high * 1000:+.1f}): {shown}"


added = {label: added_ttft_s(comparison, label) for label in ("own", "gateway")}
print(helpers.beside(guess, added["own"].estimate * 1000, "ms added by your server, engine: mock"))
for label, found in added.items():
    print(f"{label}: {in_words(found)}")

# %% id="load-table"
helpers.table(
    [
        {
            "server": run.label,
            "TTFT p50, ms": run.metrics.ttft_s.p50 * 1000,
            "TTFT p99, ms": run.metrics.ttft_s.p99 * 1000,
            "TPOT p50, ms": run.metrics.tpot_s.p50 * 1000,
            "output tokens/s": run.metrics.output_tokens_per_s,
            "errors": run.metrics.errors,
            "engine": "mock",
        }
        for run in comparison.runs
    ]
)

# %% id="load-figure"
samples = {run.label: [record.ttft_s for record in run.records if record.ok] for run in comparison.runs}
load_figure = helpers.distributions(samples, "TTFT")
load_figure.update_layout(title="TTFT at 8 streams, direct and through two servers (engine: mock server)")

# %% [markdown] id="more-streams-text"
# ### More streams
# One Python process passes on a bounded number of pieces a second, and the loop that passes on tokens is the loop that
# accepts requests: with enough streams the time to first token grows. **For which of the two servers does it grow
# first?**

# %% id="more-streams"
loads = [4, 16, 32] if quick else [1, 8, 32, 64, 128]
sweeps = {name: helpers.sweep(one, asked, loads, 32 if quick else None) for name, one in servers.items()}
points = {name: [run.point() for run in sweep.runs] for name, sweep in sweeps.items()}
curves = helpers.load_curves(points, title="Throughput and TTFT under load (engine: mock server)")
curves

# %% id="more-streams-result"
for name in ("own", "gateway"):
    said = []
    for streams, through, direct in zip(loads, sweeps[name].runs, sweeps["direct"].runs, strict=True):
        more_ms = (through.metrics.ttft_s.p50 - direct.metrics.ttft_s.p50) * 1000
        said.append(f"{more_ms:+.1f} ms at {streams} streams")
    print(f"{name}, TTFT p50 less that of going direct: {', '.join(said)} (engine: mock; one run each, no interval)")

# %% [markdown] id="real-text"
# ### With a real engine
# The mock computes nothing; a real engine does, here on the same cores as the servers. The same question once more,
# with the course model: does your server show at all?

# %% id="real"
real_folder = helpers.new_folder(run_dir, "bundle-real")
own_real = helpers.attach(own.url, model=engine_server.model, engine="own server", api_key=keys["learner"])
pair = {"direct": engine_server, "own": own_real}
words = helpers.unique_prompts(48, 24, seed=seed)
real = helpers.compare(pair, words, helpers.ClosedLoop(2), 4 if quick else 32, repeats=repeats, out=real_folder)

# %% id="real-result"
added_really = added_ttft_s(real, "own")
base_ms = real["direct"].metrics.ttft_s.p50 * 1000
print(f"engine: {engine_server.backend}; TTFT p50 direct {base_ms:.1f} ms")
print("through your server", in_words(added_really))
print("invalid:", "; ".join(note.text for run in real.runs for note in run.notes if note.invalidates) or "none")

# %% [markdown] id="report-text"
# ### The report
# One page to hand on: what the servers add, and how yours went through the drill.

# %% id="report-rows"
rows = [
    {"server": label, "engine": engine_name, "streams": streams, "added to TTFT p50": in_words(found)}
    for label, engine_name, streams, found in (
        ("own", "mock", 8, added["own"]),
        ("gateway", "mock", 8, added["gateway"]),
        ("own", f"{engine_server.engine}, {engine_server.model}", 2, added_really),
    )
]


def in_short(record: dict) -> str:
    """How a situation went: what the clients saw, and how the engines' work ended."""
    seen = [str(answer["status"] or "left") for answer in record["answers"]]
    ends = [entry["outcome"] for entries in record["truth"].values() for entry in entries]
    said = [", ".join(f"{found.count(one)} x {one}" for one in dict.fromkeys(found)) for found in (seen, ends)]
    return f"{said[0]}; engines: {said[1] or 'nothing'}"


# %% id="report"
words = "TTFT p50 through the server less that of going direct: mean of the paired repeats, 95 % interval. Measured."
drilled = helpers.table([{"situation": one["situation"], "clients saw": in_short(one)} for one in situations])
sections = (
    helpers.Section("What a server in between adds", words, helpers.table(rows), (load_figure, curves)),
    helpers.Section("The drill", "Played against own server, engines: mock servers that keep the truth.", drilled),
)
headline = f"TTFT at 8 streams: your server {in_words(added['own'])}; the gateway {in_words(added['gateway'])}."
count = sum(len(run.records) for run in (*comparison.runs, *real.runs))
lead = f"From {count} requests on {helpers.read_hardware().processor}. Engine: a mock of known times, or as named."
html, markdown = helpers.write_report(helpers.Report("Production API", headline, lead, sections), run_dir)
print(headline)
print(f"open {html.name} in {run_dir}")

# %% [markdown] id="milestone-load-text"
# ### Milestone: load-tested
# It counts if direct, your server and the course's gateway were measured in turn, at least five times each, every run
# valid and without errors, and each added TTFT has its interval. The judge computes all of it again from the records.

# %% id="milestone-12-5-load"
evidence = {
    "bundle": load_folder.name,
    "baseline": "direct",
    "added_ttft_s": {label: [found.estimate, found.low, found.high] for label, found in added.items()},
}
helpers.milestone("12.5.load", evidence=evidence, run_dir=run_dir, backend="own server and gateway, mock upstream")

# %% [markdown] id="s8"
# ## 8. Further: the course's gateway under the same drill
# The gateway is the same idea, made for a team; its request path is short enough to be read, in this order:
# `helpers/api/flow.py`, `auth.py`, `limits.py`, `queue.py`, `routing.py`, `upstream.py`, `stream.py`. Give it limits of
# the same size (30 requests per minute are a bucket of 30 that gains one every two seconds) and put it through the same
# drill. *Where will it differ from yours?*

# %% id="gateway-config"
for one in (through_gateway, gateway, own, mock, engine_server):
    one.stop()
tables = ["[limits]", "max_in_flight = 2", "max_waiting = 4", "requests_per_minute = 30", ""]
for name in upstreams.routes:
    tables += [f"[upstreams.{name}]", f"urls = {json.dumps(upstreams.routes[name])}", ""]
(run_dir / "gateway.toml").write_text("\n".join(tables))
print((run_dir / "gateway.toml").read_text())


# %% [markdown] id="gateway-keys-text"
# Keys are made by `./course keys add NAME`; the gateway keeps digests, and asks for a key as soon as there is one.


# %% id="gateway-keys"
def add_key(name: str) -> str:
    """What ./course keys add NAME does."""
    command = [sys.executable, "-m", "helpers", "keys", "add", name, "--database", database, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["key"]


gateway_keys = {name: add_key(name) for name in ("learner", "hasty")}
print({name: f"{key[:12]}..." for name, key in gateway_keys.items()})

# %% id="gateway-drill"
config = str(run_dir / "gateway.toml")
with helpers.GatewayProcess("--config", config, "--no-ui", "--database", database) as gateway:
    drill = helpers.Drill(gateway.url, upstreams, api_key=gateway_keys["learner"])
    played = [drill.whole(), drill.strangers(), drill.burst(12), drill.hasty(48, gateway_keys["hasty"])]
    played += [drill.client_leaves(), drill.upstream_dies(), drill.failover()]
upstreams.stop()


# %% id="both"
helpers.table(
    [
        {"situation": mine["situation"], "your server": in_short(mine), "the gateway": in_short(theirs)}
        for mine, theirs in zip(situations, played, strict=True)
    ]
)

# %% [markdown] id="beyond"
# ### What it does beyond yours
# Each of these is one short file. Read one, and say how your own server would fail there: a body larger than memory
# (`flow.py`, `read_body`); a client that sends its headers a byte a minute (`server.py`); an engine that is down for a
# while (`routing.py`, the circuit breaker; `health.py`); a bill (`calls.py`, `ledger.py`, `database.py`); a restart
# while answers are being written (`server.py`, draining); a web page of another site that asks `localhost` (`auth.py`,
# `refuse_foreign_pages`).

# %% [markdown] id="spark"
# ## On a Spark
# The server is the same; the engine behind it is not. Three things change (none was measured here):
#
# - **Places**: as many as the engine's `max_num_seqs` (vLLM's default on a Spark is 256), so that requests wait where
#   your metrics see them.
# - **Weight of what is added**: one stream of Llama 3.1 8B in NVFP4 writes a token in about 26 ms (TensorRT-LLM, 38.65
#   tokens/s, published by NVIDIA), the mock in 5 ms. The same addition is a smaller share.
# - **Limits of time**: the first request after a start may compile kernels, so `sock_read` must be longer than that.
#
# Let the engine listen on 127.0.0.1 only, and your server, or `./course serve --upstream spark=http://127.0.0.1:8000`,
# on the network.

# %% [markdown] id="think"
# ## To think about
# - The token bucket lives in one process. What happens to "30 requests a minute" when four workers serve?
# - Why is one process enough for an engine that serves 64 streams?
#
# **Sources**: [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html);
# [ASGI](https://asgi.readthedocs.io/en/latest/specs/www.html); [RFC 6585](https://www.rfc-editor.org/rfc/rfc6585)
# (status 429); [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110) (`Retry-After`, 401); [Prometheus:
# histograms](https://prometheus.io/docs/practices/histograms/); `helpers/bench/published.toml` (NVIDIA's figure, with
# source and date).
