# %% [markdown] id="intro"
# # Lab 12.5: Production API
#
# **You will** write the parts of a production server as small functions, put them together, drill the server with
# failures, and measure what it costs beside the course's own gateway.
#
# **It takes** 2 hours, the first three parts about 75 minutes; 2 cores, 2 GB of memory, no GPU. The guided notebook
# `notebooks/05_production_api.ipynb` shows each part once.
#
# **You should know** what TTFT is (task 12.1), and what `async def` and `await` mean in Python.
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | the stream on the wire (exercises 1 and 2) | 15 |
# | 2 | keys, rates, a queue (exercises 3 to 6) | 25 |
# | 3 | what can go wrong (exercises 7 and 8), the server, the drill; milestone 1 | 35 |
# | 4 | reading metrics (exercises 9 and 10), the load test; milestone 2 | 25 |
# | 5, further | a change of your own | 20 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. The checks look at what your function returns, so write
# it any way you like. `./course check 5` shows all exercises at once; the full answers are in `solutions/`.

# %% id="setup"
import asyncio
import contextlib
import json
import random
import time
import urllib.request
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="server-setup"
import aiohttp
import prometheus_client as prometheus
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import Headers

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="part-1"
# ## Part 1: the stream on the wire
# ### Exercise 1: one server-sent event
# A server-sent event is a block of lines `data: ...`, ended by an empty line; each line of the data becomes one such
# line. Your server will write an event of this kind to say that an answer broke off.


# %% id="ex1-sse-event"
def sse_event(data: str) -> str:
    """The text as one server-sent event."""
    ### BEGIN SOLUTION write a data line for each line, then the empty line
    return "".join(f"data: {line}\n" for line in data.split("\n")) + "\n"
    ### END SOLUTION


# %% id="check-ex1-sse-event"
helpers.check("ex1-sse-event", sse_event)

# %% [markdown] id="ex2-text"
# ### Exercise 2: events out of pieces
# What comes out of a socket may be cut anywhere: in the middle of an event, between the two newlines that end it. Lines
# that do not begin with `data:` are skipped (one that begins with a colon is a comment, a sign of life). Several data
# lines of one event are joined by newlines, and one space after the colon belongs to the format. Here lines end with
# `\n`; the standard also allows `\r\n`.


# %% id="ex2-split-events"
def split_events(pieces: list[str]) -> list[str]:
    """The data of every event that is complete.

    Args:
        pieces: what each read of the socket returned, in order.
    """
    ### BEGIN SOLUTION join the pieces, and take apart what is complete
    events = []
    for event in "".join(pieces).split("\n\n")[:-1]:
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        if data:
            events.append("\n".join(data))
    return events
    ### END SOLUTION


# %% id="check-ex2-split-events"
helpers.check("ex2-split-events", split_events)

# %% [markdown] id="own-client-text"
# ### Your own client
# Read a real engine's stream with your function. A piece is what one read of the connection returned.

# %% id="own-client"
engine_server = helpers.launch(engine, model, max_num_seqs=8)
upstream_key = engine_server.api_key
asked = {"model": engine_server.model, "stream": True, "max_tokens": 24, "temperature": 0}
asked["messages"] = [{"role": "user", "content": "What is backpressure?"}]
headers = {"Authorization": f"Bearer {upstream_key}"} if upstream_key else {}
async with (
    aiohttp.ClientSession(headers=headers) as session,
    session.post(f"{engine_server.url}/chat/completions", json=asked) as answer,
):
    pieces = [piece.decode() async for piece in answer.content.iter_any()]
events = split_events(pieces)
deltas = [json.loads(event)["choices"][0]["delta"] for event in events if event != "[DONE]"]
print(f"{engine_server.backend}: {len(pieces)} pieces, {len(events)} events, the last one {events[-1]}")
print("".join(delta.get("content") or "" for delta in deltas))

# %% [markdown] id="part-2"
# ## Part 2: who may come in, how often, and how many
# ### Exercise 3: whose key is it?
# The server keeps SHA-256 digests, never keys. The header is `Authorization: Bearer KEY`; the word Bearer may be in
# capital or small letters. Compare with `hmac.compare_digest`, whose time does not depend on how much agrees.


# %% id="ex3-key-holder"
def key_holder(authorization: str | None, digests: dict[str, str]) -> str | None:
    """Who holds the presented key; None without a valid one.

    Args:
        authorization: the header; None if there is none.
        digests: name of the holder -> SHA-256 of the key, in hexadecimal.
    """
    ### BEGIN SOLUTION digest the key, and compare it with every known one
    import hmac

    scheme, _, key = (authorization or "").partition(" ")
    digest = sha256(key.encode()).hexdigest()
    holders = [name for name, known in digests.items() if hmac.compare_digest(known, digest)]
    return holders[0] if scheme.lower() == "bearer" and holders else None
    ### END SOLUTION


# %% id="check-ex3-key-holder"
helpers.check("ex3-key-holder", key_holder)

# %% [markdown] id="ex4-text"
# ### Exercise 4: a token bucket
# A bucket holds up to `capacity` tokens and gains `per_s` each second. Its state is its `level` at the time `at_s`. A
# request takes one whole token; if there is none, it is told how long the missing part takes. A refusal takes nothing
# out of the bucket.


# %% id="ex4-take-token"
def take_token(bucket: dict[str, float], now_s: float, capacity: float, per_s: float) -> dict[str, Any]:
    """Try to take a token.

    Args:
        bucket: {"level", "at_s"}.

    Returns:
        {"allowed": True or False, "wait_s": seconds until a token is there, 0.0 if allowed, "bucket": the new state}
    """
    ### BEGIN SOLUTION fill the bucket up to now, then take a token
    level = min(capacity, bucket["level"] + (now_s - bucket["at_s"]) * per_s)
    if level >= 1:
        return {"allowed": True, "wait_s": 0.0, "bucket": {"level": level - 1, "at_s": now_s}}
    return {"allowed": False, "wait_s": (1 - level) / per_s, "bucket": {"level": level, "at_s": now_s}}
    ### END SOLUTION


# %% id="check-ex4-take-token"
helpers.check("ex4-take-token", take_token)

# %% [markdown] id="ex5-text"
# ### Exercise 5: run, wait, or go away
# `places` requests run at once, at most `max_waiting` wait, first come, first served. What becomes of one that arrives
# now: `"run"`, `"wait"` or `"refuse"`?


# %% id="ex5-admit"
def admit(running: int, waiting: int, places: int, max_waiting: int) -> str:
    """What becomes of a request that arrives now."""
    ### BEGIN SOLUTION decide: run, wait or refuse
    if running < places and not waiting:
        return "run"
    return "wait" if waiting < max_waiting else "refuse"
    ### END SOLUTION


# %% id="check-ex5-admit"
helpers.check("ex5-admit", admit)

# %% [markdown] id="ex6-text"
# ### Exercise 6: when to come back
# A client that is refused is told when a place may be free for it. Everybody who waits comes first, then this client;
# each holds a place for `mean_held_s`, and `places` of them are held side by side. The answer is in whole seconds,
# rounded up so that nobody comes back too early, at least 1 and at most 60.


# %% id="ex6-retry-after"
def retry_after_s(waiting: int, places: int, mean_held_s: float) -> int:
    """The value of Retry-After."""
    ### BEGIN SOLUTION estimate the wait, in whole seconds from 1 to 60
    from math import ceil

    return max(1, min(60, ceil((waiting + 1) * mean_held_s / places)))
    ### END SOLUTION


# %% id="check-ex6-retry-after"
helpers.check("ex6-retry-after", retry_after_s)

# %% [markdown] id="part-3"
# ## Part 3: what can go wrong
# ### Exercise 7: when an engine fails
# What can still be done depends on one moment: the first byte to the client. What follows a failure is one of
#
# - `"retry"`: ask the next engine; nobody has noticed anything;
# - `"refuse"`: no engine is left, so the client gets an error status;
# - `"pass-on"`: the engine refused the request itself (4xx, but not 429): its answer is the client's;
# - `"error-event"`: part of an answer is out, so only an event can say that it broke off;
# - `"stop"`: the client has left.


# %% id="ex7-after-failure"
def after_failure(failure: dict[str, Any]) -> str:
    """What to do now.

    Args:
        failure: {"cause": connect, lost, timeout or status, "status": of the engine's answer or 0, "bytes_sent": to the
            client so far, "tried": engines asked so far, this one included, "engines": how many there are,
            "client_left": True or False}
    """
    ### BEGIN SOLUTION decide: stop, error-event, pass-on, retry or refuse
    if failure["client_left"]:
        return "stop"
    if failure["bytes_sent"]:
        return "error-event"
    if failure["cause"] == "status" and 400 <= failure["status"] < 500 and failure["status"] != 429:
        return "pass-on"
    return "retry" if failure["tried"] < failure["engines"] else "refuse"
    ### END SOLUTION


# %% id="check-ex7-after-failure"
helpers.check("ex7-after-failure", after_failure)

# %% [markdown] id="ex8-text"
# ### Exercise 8: how long a client waits
# The other side of a refusal. After its first failed attempt a client takes half a second, doubled after each further
# one, at most 30 seconds, and multiplies that by a random `draw` between 0 and 1, so that clients who were refused
# together do not come back together. If the server named a time (`Retry-After`), this wait is added to it.


# %% id="ex8-backoff"
def backoff_s(attempt: int, retry_after_s: float | None, draw: float) -> float:
    """Seconds to wait after this many failed attempts (1, 2, ...)."""
    ### BEGIN SOLUTION double, cap and draw; add what the server asked for
    return (retry_after_s or 0) + draw * min(30.0, 0.5 * 2 ** (attempt - 1))
    ### END SOLUTION


# %% id="check-ex8-backoff"
helpers.check("ex8-backoff", backoff_s)

# %% [markdown] id="server-text"
# ### The server
# Your functions decide; the classes below act. Each is a *layer*: an ASGI app with another one inside, whose
# `__call__` returns when the answer is out to its last byte. Three functions are yours to write: `in_a_place` and
# `watch`, for two of the layers, and `ask`, which passes on an engine's answer. They have no check of their own; the
# drill tests them.


# %% id="refusal"
def refusal(status: int, why: str, retry_after_s: int | None = None) -> JSONResponse:
    """An error in OpenAI's form; itself an ASGI app."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse({"error": {"message": why, "type": "refused", "code": status}}, status, headers)


# %% id="check-key"
class CheckKey:
    """Lets in who has a key, and notes whose it is."""

    def __init__(self, app, digests: dict[str, str]) -> None:
        self.app, self.digests = app, digests

    async def __call__(self, scope, receive, send) -> None:
        holder = key_holder(Headers(scope=scope).get("authorization"), self.digests)
        if holder is None:
            await refusal(401, "This needs a valid key.")(scope, receive, send)
        else:
            await self.app({**scope, "key": holder}, receive, send)


# %% id="limit-rate"
class LimitRate:
    """A bucket for each key; who finds it empty is told when to come back."""

    def __init__(self, app, capacity: float, per_s: float) -> None:
        self.app, self.capacity, self.per_s = app, capacity, per_s
        self.buckets: dict[str, dict[str, float]] = {}

    async def __call__(self, scope, receive, send) -> None:
        now_s = time.monotonic()
        bucket = self.buckets.get(scope["key"], {"level": self.capacity, "at_s": now_s})
        taken = take_token(bucket, now_s, self.capacity, self.per_s)
        self.buckets[scope["key"]] = taken["bucket"]
        if taken["allowed"]:
            await self.app(scope, receive, send)
        else:
            wait_s = max(1, -int(-taken["wait_s"] // 1))
            await refusal(429, "This key asks too often.", wait_s)(scope, receive, send)


# %% [markdown] id="place-text"
# **To do: hold a place.** `layer.free` is a semaphore with as many permits as there are places; it serves in order.
# Hold a permit *around* `layer.app`, so that the place is given back however the request ends. Keep `layer.waiting`,
# `layer.running`, the two gauges `layer.metrics.waiting` and `layer.metrics.in_flight`, and `layer.mean_held_s` up to
# date.


# %% id="wait-for-place"
class WaitForPlace:
    """So many requests run, so many wait, the rest are sent away."""

    def __init__(self, app, places: int, max_waiting: int, metrics: "Metrics") -> None:
        self.app, self.places, self.max_waiting, self.metrics = app, places, max_waiting, metrics
        self.free = asyncio.Semaphore(places)
        self.running, self.waiting, self.mean_held_s = 0, 0, 1.0

    async def __call__(self, scope, receive, send) -> None:
        if admit(self.running, self.waiting, self.places, self.max_waiting) == "refuse":
            wait_s = retry_after_s(self.waiting, self.places, self.mean_held_s)
            await refusal(429, "Too many requests are waiting.", wait_s)(scope, receive, send)
        else:
            await in_a_place(self, scope, receive, send)


# %% id="in-a-place"
async def in_a_place(layer: WaitForPlace, scope, receive, send) -> None:
    """Wait for a place, and serve the request in it."""
    ### BEGIN SOLUTION wait for a permit; hold it while layer.app answers
    layer.waiting += 1
    layer.metrics.waiting.set(layer.waiting)
    try:
        await layer.free.acquire()
    finally:
        layer.waiting -= 1
        layer.metrics.waiting.set(layer.waiting)
    layer.running, begun_s = layer.running + 1, time.monotonic()
    layer.metrics.in_flight.set(layer.running)
    try:
        await layer.app(scope, receive, send)
    finally:
        layer.running -= 1
        layer.metrics.in_flight.set(layer.running)
        layer.free.release()
        layer.mean_held_s += 0.2 * (time.monotonic() - begun_s - layer.mean_held_s)
    ### END SOLUTION


# %% [markdown] id="cancel-text"
# **To do: let go.** `receive` gives the pieces of the request and then, when the client leaves, a message whose
# `"type"` is `http.disconnect`. Put every message into `inbox`, from which the layers inside read; on `http.disconnect`
# set `gone` and cancel `task`, which answers this request.


# %% id="watch"
async def watch(receive, inbox: asyncio.Queue, gone: asyncio.Event, task: asyncio.Task) -> None:
    """Hand on what the client sends; when it leaves, cancel its request."""
    ### BEGIN SOLUTION receive until the client has left; then cancel the task
    while not gone.is_set():
        message = await receive()
        inbox.put_nowait(message)
        if message["type"] == "http.disconnect":
            gone.set()
            task.cancel()
    ### END SOLUTION


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
        bounds_s = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
        self.ttft_s = prometheus.Histogram("ttft_seconds", "Arrival to first piece", buckets=bounds_s, **own)


# %% id="count"
class Count:
    """Counts every request by how it ended, and times its first piece."""

    def __init__(self, app, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope, receive, send) -> None:
        sending, notes = Sending(send, self.metrics), {}
        try:
            await self.app({**scope, "notes": notes}, receive, sending)
        except TimeoutError:
            notes["outcome"] = "slow_client"
        finally:
            ended = f"status_{sending.status}" if sending.status >= 400 else "ok"
            outcome = notes.get("outcome", ended if sending.complete else "client_left")
            self.metrics.requests.labels(outcome).inc()


# %% id="sending"
class Sending:
    """`send`, watched, and bounded: a client that takes nothing for ten seconds is given up."""

    def __init__(self, send, metrics: Metrics) -> None:
        self.send, self.metrics, self.begun_s = send, metrics, time.perf_counter()
        self.status, self.pieces, self.complete = 0, 0, False

    async def __call__(self, message) -> None:
        async with asyncio.timeout(10):
            await self.send(message)
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
            self.pieces += 1
            if self.pieces == 1 and self.status == 200:
                self.metrics.ttft_s.observe(time.perf_counter() - self.begun_s)


# %% [markdown] id="ask-text"
# **To do: pass on an answer.** Post the body to the engine's `/chat/completions`. If its status is not 200, raise
# `Refused("status", status, its text)`. A stream is passed on piece by piece, as it comes
# (`answer.content.iter_any()`); a plain answer only once it is complete (`answer.read()`), so that another engine can
# still be asked if it fails before its end.


# %% id="ask"
class Refused(Exception):
    """An engine's answer that is none: its status and its words."""

    def __init__(self, cause: str, status: int, words: str) -> None:
        super().__init__(words)
        self.cause, self.status, self.words = cause, status, words


async def ask(session: aiohttp.ClientSession, url: str, body: bytes, stream: bool) -> AsyncIterator[bytes]:
    """One engine's answer, as bytes."""
    ### BEGIN SOLUTION post the body, check the status, and yield what comes
    async with session.post(f"{url}/chat/completions", data=body) as answer:
        if answer.status != 200:
            raise Refused("status", answer.status, await answer.text())
        if not stream:
            yield await answer.read()
            return
        async for piece in answer.content.iter_any():
            yield piece
    ### END SOLUTION


# %% id="ask-all"
async def ask_all(state: "Engines", urls: list[str], body: bytes, stream: bool, notes: dict) -> AsyncIterator[bytes]:
    """The answer of the first engine that begins one, by the decisions of `after_failure`."""
    sent, tries = 0, urls * 2  # the second time round for connections that an engine closed just before it was asked
    for tried, url in enumerate(tries, start=1):
        try:
            async for piece in ask(state.session, url, body, stream):
                sent += len(piece)
                yield piece
            return
        except (aiohttp.ClientError, TimeoutError, Refused) as error:
            action = decide(state, error, bytes_sent=sent, tried=tried, engines=len(tries))
            failed = error
        if action == "error-event":
            notes["outcome"] = "cut"
            yield broken_off()
            return
        if action != "retry":
            raise error_for_client(action, failed)


# %% id="decide"
def decide(state: "Engines", error: Exception, **known: int) -> str:
    """Count an engine's failure, and ask `after_failure` what to do."""
    found = describe(error)
    state.metrics.failures.labels(found["cause"]).inc()
    return after_failure({**found, **known, "client_left": False})


def describe(error: Exception) -> dict[str, Any]:
    """Cause and status of a failure."""
    if isinstance(error, Refused):
        return {"cause": error.cause, "status": error.status}
    if isinstance(error, aiohttp.ClientConnectorError):
        return {"cause": "connect", "status": 0}
    return {"cause": "timeout" if isinstance(error, TimeoutError) else "lost", "status": 0}


# %% id="tell"
def error_for_client(action: str, error: Exception) -> Refused:
    """What the client is told; no address, no stack trace."""
    if action == "pass-on" and isinstance(error, Refused):
        return error
    return Refused("status", 502, "No engine answered.")


def broken_off() -> bytes:
    """The event that ends a stream which cannot go on; the empty line before it ends an event that may be cut."""
    words = json.dumps({"error": {"message": "The answer broke off.", "code": "upstream_lost"}})
    return f"\n\n{sse_event(words)}".encode()


# %% id="add-chat"
def add_chat(api: FastAPI, engines: "Engines") -> None:
    """Serve /chat/completions; the first piece decides about the status."""

    @api.post("/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.body()
        wanted, urls = engines.find(body)
        if not urls:
            return refusal(404, "There is no such model here.")
        stream = wanted.get("stream") is True
        pieces = ask_all(engines, urls, body, stream, request.scope["notes"])
        try:
            first = await anext(pieces)
        except Refused as refused:
            return refusal(refused.status, refused.words)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        kind = "text/event-stream" if stream else "application/json"
        return Relayed(chain(first, pieces), headers=headers, media_type=kind)


# %% id="relayed"
class Relayed(StreamingResponse):
    """Closes its pieces, and so the connection to the engine, however the sending ends."""

    async def __call__(self, scope, receive, send) -> None:
        async with contextlib.aclosing(self.body_iterator):
            await super().__call__(scope, receive, send)


async def chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first piece, then the others."""
    yield first
    async for piece in rest:
        yield piece


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


# %% id="add-pages"
def add_pages(app: FastAPI, api: FastAPI, engines: Engines) -> None:
    """Pages for machines: /metrics for those that watch, /v1/models for clients."""

    @app.get("/metrics")
    async def metrics() -> Response:
        page = prometheus.generate_latest(engines.metrics.registry)
        return Response(page, media_type=prometheus.CONTENT_TYPE_LATEST)

    @api.get("/models")
    async def models() -> dict:
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in engines.routes]}


# %% id="create-app"
def create_app(routes, digests, limits, upstream_key="") -> FastAPI:
    """The server: layers around the API."""
    metrics = Metrics()
    engines = Engines(routes, upstream_key, metrics)
    api, app = FastAPI(), FastAPI(lifespan=engines.connected)
    add_chat(api, engines)
    add_pages(app, api, engines)
    guarded = LimitRate(WaitForPlace(api, *limits["queue"], metrics), *limits["rate"])
    app.mount("/v1", CancelWhenGone(Count(CheckKey(guarded, digests), metrics)))
    return app


# %% [markdown] id="drill-text"
# ### The drill
# Behind your server stand mock servers that keep the truth, and fail on purpose. Guess first: of twelve requests at the
# same moment, with 2 places and 4 that may wait, how many are sent away? How many tokens does the engine write for a
# client that has left? And of six requests to a pair of engines of which one always fails, how many fail?


# %% id="guesses"
def my_guesses() -> dict[str, float]:
    """{"sent_away", "tokens_for_nobody", "failed"}, made before the drill."""
    ### BEGIN SOLUTION return a dictionary with your three numbers
    return {"sent_away": 6, "tokens_for_nobody": 2, "failed": 0}
    ### END SOLUTION


guesses = my_guesses()

# %% id="start-drill"
LIMITS = {"queue": [2, 4], "rate": [30, 1 / 3]}
keys = {"learner": "ck-a-secret-of-mine", "hasty": "ck-another-secret"}
digests = {name: sha256(key.encode()).hexdigest() for name, key in keys.items()}
with (
    helpers.DrillUpstreams() as upstreams,
    helpers.AppProcess(
        create_app, run_dir / "server.py", routes=upstreams.routes, digests=digests, limits=LIMITS
    ) as server,
):
    drill = helpers.Drill(server.url, upstreams, api_key=keys["learner"])
    situations = [drill.whole(), drill.strangers(), drill.burst(12), drill.hasty(48, keys["hasty"])]
    situations += [drill.client_leaves(), drill.upstream_dies(), drill.failover()]
print(f"your server: {server.file}, its log: {server.log}")

# %% id="drilled"
rows = []
for record in situations:
    seen = [str(answer["status"] or "left") for answer in record["answers"]]
    ends = [entry["outcome"] for entries in record["truth"].values() for entry in entries]
    said = [", ".join(f"{found.count(one)} x {one}" for one in dict.fromkeys(found)) for found in (seen, ends)]
    rows.append({"situation": record["situation"], "clients saw": said[0], "mock engines saw": said[1] or "nothing"})
drilled = helpers.table(rows)
drilled

# %% id="guessed"
by_name = {record["situation"]: record for record in situations}
sent_away = sum(answer["status"] == 429 for answer in by_name["burst"]["answers"])
failed = sum(answer["status"] != 200 for answer in by_name["failover"]["answers"])
left, stream = by_name["client leaves"]["answers"][0], by_name["client leaves"]["truth"]["steady"][0]
for_nobody = sum(at_s > left["left_s"] for at_s in stream["writes_s"])
print(f"sent away: {sent_away}, guessed {guesses['sent_away']}")
print(f"tokens for nobody: {for_nobody}, guessed {guesses['tokens_for_nobody']}")
print(f"failed although one engine works: {failed}, guessed {guesses['failed']}")

# %% [markdown] id="milestone-server-text"
# ### Milestone: a production server
# It counts if answers are whole and streams flow; if strangers are refused; if a burst and a hasty client get 429 with
# `Retry-After`, and the engine never has more requests than there are places; if an answer that broke off says so and
# an engine that fails is replaced; and if the engine stops working for clients that left. The judge looks at what
# clients and mocks recorded. If your server raised an error, `server.log` in the run folder has it.

# %% id="milestone-12-5-server"
helpers.milestone(
    "12.5.server",
    evidence={"places": LIMITS["queue"][0], "situations": situations},
    run_dir=run_dir,
    backend="own server (FastAPI, one process) in front of mock upstreams",
)

# %% [markdown] id="part-4"
# ## Part 4: reading metrics, and the load test
# ### Exercise 9: a percentile from a histogram
# A server that has answered a million requests keeps no list of them, only counts: how many took at most 0.1 s, at
# most 0.2 s, ... Prometheus' buckets are *cumulative*, and the last one, without a bound, counts all. The request of
# rank `share * all` lies in the first bucket whose count reaches that rank. Assume that the requests of a bucket lie
# evenly between its two bounds; beyond the last bound, return that bound, as Prometheus does.


# %% id="ex9-quantile"
def quantile_s(bounds_s: list[float], cumulative: list[int], share: float) -> float | None:
    """The value that this share of the requests stays below; None if nothing was counted.

    Args:
        bounds_s: upper bounds of the buckets, the last one's left out.
        cumulative: how many requests up to each bound, and at the end how many in all; one more than bounds.
        share: between 0 and 1.
    """
    ### BEGIN SOLUTION find the bucket of the rank, and go part of the way
    if not cumulative[-1]:
        return None
    rank = share * cumulative[-1]
    number = next(index for index, count in enumerate(cumulative) if count >= rank)
    if number == len(bounds_s):
        return bounds_s[-1]
    low, below = (bounds_s[number - 1], cumulative[number - 1]) if number else (0.0, 0)
    return low + (bounds_s[number] - low) * (rank - below) / (cumulative[number] - below)
    ### END SOLUTION


# %% id="check-ex9-quantile"
helpers.check("ex9-quantile", quantile_s)

# %% [markdown] id="ex10-text"
# ### Exercise 10: how much a counter grew
# A counter is read every few seconds. It never falls, unless its process began anew: then it starts at zero, and what
# the next reading shows was counted since. (Prometheus' own `increase` also extrapolates to the borders of its time
# window; yours does not.)


# %% id="ex10-increase"
def increase(samples: list[float]) -> float:
    """How much was counted from the first reading to the last."""
    ### BEGIN SOLUTION add up the steps, and mind a restart
    from itertools import pairwise

    return sum(later - earlier if later >= earlier else later for earlier, later in pairwise(samples))
    ### END SOLUTION


# %% id="check-ex10-increase"
helpers.check("ex10-increase", increase)

# %% id="increases"
watched = [name for name in situations[-1]["after"] if "requests_total" in name]
steps = [situations[0]["before"], *(record["after"] for record in situations)]
rows = [{"counter": name, "grew by": int(increase([step.get(name, 0) for step in steps]))} for name in watched]
helpers.table(rows)

# %% [markdown] id="load-text"
# ### What does your server cost?
# Direct, through your server, and through the course's gateway, in turn, under the same load. The engine is the mock:
# 50 ms to the first token, then 5 ms each. **Guess: how many milliseconds does your server add to the median TTFT?**


# %% id="guess-load"
def my_guess_ms() -> float:
    """Milliseconds that your server adds to the median TTFT at 8 streams."""
    ### BEGIN SOLUTION return a number of milliseconds
    return 5.0
    ### END SOLUTION


guess_ms = my_guess_ms()

# %% id="start-load"
OPEN = {"queue": [64, 64], "rate": [1e6, 1e6]}
mock = helpers.MockServer(ttft_s=0.05, gap_s=0.005, output_tokens=32).start()
routes = {"mock": [mock.url], engine_server.model: [engine_server.url]}
own = helpers.AppProcess(
    create_app, run_dir / "own.py", routes=routes, digests=digests, limits=OPEN, upstream_key=upstream_key
).start()
database = f"sqlite:///{run_dir / 'gateway.sqlite'}"
gateway = helpers.GatewayProcess("--upstream", f"mock={mock.url}", "--no-keys", "--no-ui", "--database", database)
servers = {
    "direct": mock,
    "own": helpers.attach(own.url, model="mock", engine="own server", api_key=keys["learner"]),
    "gateway": helpers.attach(gateway.start().url, model="mock", engine="gateway"),
}

# %% id="load"
load_folder = helpers.new_folder(run_dir, "bundle-load")
words = helpers.given_prompts(["Anything."], output_tokens=32)
repeats = 5 if quick else 10
comparison = helpers.compare(
    servers, words, helpers.ClosedLoop(8), 16 if quick else 64, repeats=repeats, out=load_folder
)

# %% id="added"
added = {}
for label in ("own", "gateway"):
    pairs = zip(comparison["direct"].repeat_metrics, comparison[label].repeat_metrics, strict=True)
    added[label] = found = helpers.bootstrap([through.ttft_s.p50 - direct.ttft_s.p50 for direct, through in pairs])
    shown = "no addition shown" if found.contains(0) else "an addition" if found.estimate > 0 else "less than direct"
    interval = f"{found.low * 1000:+.1f} to {found.high * 1000:+.1f} ms"
    print(f"{label}: {found.estimate * 1000:+.1f} ms, {interval}: {shown} (engine: mock)")
print(f"guessed {guess_ms:.1f} ms for your own")

# %% [markdown] id="own-histogram-text"
# Now ask the server itself. Its histogram has the time to first piece of *all* its requests, the warm-up included, as
# it saw them; your `quantile_s` reads it. It leaves out the way to the client, and it is as coarse as its buckets:
# compare the difference of the two figures with the width of the bucket they lie in.

# %% id="own-histogram"
with urllib.request.urlopen(f"{own.root}/metrics") as answer:
    lines = [line for line in answer.read().decode().splitlines() if line.startswith("own_ttft_seconds_bucket")]
buckets = [(line.split('"')[1], int(float(line.split()[-1]))) for line in lines]
bounds_s = [float(bound) for bound, _ in buckets[:-1]]
server_p50_ms = quantile_s(bounds_s, [count for _, count in buckets], 0.5) * 1000
client_p50_ms = comparison["own"].metrics.ttft_s.p50 * 1000
print(f"TTFT p50: {server_p50_ms:.0f} ms by the server's histogram, {client_p50_ms:.0f} ms by the clients' clocks")

# %% [markdown] id="retry-text"
# ### A client with patience
# Your `backoff_s` in use: the bucket holds one token and gains one each half second, and a client wants three answers.
# *How often is it refused, and does it get them?* (The course's client does not tell `Retry-After`, so that it waits by
# doubling alone.)

# %% id="retry"
with helpers.AppProcess(
    create_app, run_dir / "strict.py", routes=routes, digests=digests, limits={"queue": [2, 4], "rate": [1, 2.0]}
) as strict:
    client, draws = helpers.Client(strict.url, "mock", keys["learner"]), random.Random(seed)
    attempts = answered = refused = 0
    while answered < 3 and attempts < 12:
        attempts += 1
        try:
            client.chat("Anything.", max_tokens=2)
            answered, refused = answered + 1, 0
        except helpers.RequestFailed as failed:
            refused += 1  # in a row: each time the client waits for longer
            wait_s = backoff_s(refused, None, draws.random())
            print(f"{failed.record.error}; waiting {wait_s:.2f} s")
            time.sleep(wait_s)
print(f"{answered} answers after {attempts} attempts (engine: mock)")

# %% [markdown] id="milestone-load-text"
# ### Milestone: load-tested
# It counts if direct, your server and the course's gateway were measured in turn, at least five times each, every run
# valid and without errors, and each added TTFT has its interval. The judge computes all of it again from the records.

# %% id="report"
for one in (gateway, own, mock, engine_server):
    one.stop()
found = [(label, *(1000 * value for value in (one.estimate, one.low, one.high))) for label, one in added.items()]
rows = [{"server": label, "added, ms": mean, "from, ms": low, "to, ms": high} for label, mean, low, high in found]
words = "TTFT p50 at 8 streams, less that of going direct: mean of paired repeats, 95 % interval. Engine: mock server."
sections = (
    helpers.Section("What a server in between adds", words, helpers.table(rows)),
    helpers.Section("The drill", "Engines: mock servers that keep the truth.", drilled),
)
headline = f"Added to the median TTFT: {found[0][1]:+.1f} ms by my server, {found[1][1]:+.1f} ms by the gateway."
lead = f"Measured on {helpers.read_hardware().processor}, 8 streams, engine: mock server."
html, markdown = helpers.write_report(helpers.Report("My production API", headline, lead, sections), run_dir)
print(f"open {html.name} in {run_dir}")

# %% id="milestone-12-5-load"
evidence = {
    "bundle": load_folder.name,
    "baseline": "direct",
    "added_ttft_s": {label: [found.estimate, found.low, found.high] for label, found in added.items()},
}
helpers.milestone("12.5.load", evidence=evidence, run_dir=run_dir, backend="own server and gateway, mock upstream")

# %% [markdown] id="part-5"
# ## Part 5, further: a change of your own
# Choose one, change the server, and run the drill and the load test again. Write down beforehand what each will show.
#
# - Take `CancelWhenGone` out. Which situation notices? Which metric would have told you in production?
# - Give every key a bound of its own on requests in flight. What does the burst look like with two keys?
# - Send a comment line every second until the first token comes. Which of your functions must be able to read it?
# - Count output tokens for each key, from the `usage` event, without delaying a byte. What if the client did not ask
#   for usage?
