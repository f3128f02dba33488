"""From the bytes of an answer to a `RequestRecord`.

A stream is a sequence of server-sent events, `data: JSON`, ended by `data: [DONE]`. Whatever is wrong with it ends up
in `record.error`, one line; nothing here raises for what a server sent.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

import orjson

from helpers.client.records import RequestRecord, Usage
from helpers.client.wire import Exchange

EVENTS_PER_SLICE = 64
"""Events parsed before the event loop gets its turn, so that reading other streams waits for less than about 0.3 ms."""

SHOWN_CHARACTERS = 200
"""How much of an unexpected answer an error quotes."""


def read_usage(usage: dict[str, Any], timings: dict[str, Any]) -> Usage:
    """Token counts from OpenAI's `usage` and, where there are any, llama.cpp's `timings`."""
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        cached_tokens=details.get("cached_tokens", timings.get("cache_n")),
        draft_tokens=timings.get("draft_n"),
        accepted_tokens=timings.get("draft_n_accepted"),
    )


def error_message(answer: object) -> str:
    """The server's own words in an error answer: OpenAI's form, or FastAPI's; empty if there are none."""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error", answer.get("detail", answer.get("message", "")))
    if isinstance(error, dict):
        error = error.get("message", error)
    return " ".join(str(error).split())[:SHOWN_CHARACTERS] if error else ""


def quote(body: bytes) -> str:
    """The start of an unexpected answer on one line."""
    return " ".join(body[:SHOWN_CHARACTERS].decode("utf-8", "replace").split()) or "nothing"


def split_events(reads: list[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """(arrival, data) of each server-sent event; it arrives with the read that completes it.

    Lines that are not data (comments, event names) are skipped; several data lines of one event are joined.
    """
    rest = b""
    data: list[bytes] = []
    arrived_s = 0.0
    for arrived_s, piece in reads:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield arrived_s, b"\n".join(data)
                data.clear()
    # A stream cut inside an event leaves a piece of it: handed on, so that it is seen as malformed.
    if rest.startswith(b"data:"):
        data.append(rest[5:].removeprefix(b" "))
    if data:
        yield arrived_s, b"\n".join(data)


async def read_events(pieces: AsyncIterator[bytes], zero_s: float) -> AsyncIterator[tuple[float, bytes]]:
    """(arrival, data) of each server-sent event, as soon as it is whole; arrivals are perf_counter() - `zero_s`."""
    rest = b""
    arrived_s = 0.0
    async for piece in pieces:
        arrived_s = perf_counter() - zero_s
        whole, separator, rest = (rest + piece).replace(b"\r\n", b"\n").rpartition(b"\n\n")
        for event in split_events([(arrived_s, whole + separator)]):
            yield event
    for event in split_events([(arrived_s, rest)]):
        yield event


class Answer:
    """A record under construction, fed event by event."""

    def __init__(self, record: RequestRecord) -> None:
        self.record = record
        self.ended = False
        self.pieces: list[str] = []
        self.thoughts: list[str] = []
        self._last_chunk_s = -1.0

    def add(self, arrived_s: float, data: bytes) -> None:
        """Take one event in; the first error stays.

        Args:
            arrived_s: on the record's clock.
            data: the event's data.
        """
        if data == b"[DONE]":
            self.ended = True
            return
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            self._fail(f"malformed chunk: {quote(data)}")
            return
        if not isinstance(chunk, dict):
            self._fail(f"malformed chunk: {quote(data)}")
            return
        if chunk.get("error"):
            self._fail(f"error inside the stream: {error_message(chunk)}")
            return
        timings = chunk.get("timings")
        if isinstance(timings, dict):
            self.record.engine_timings = timings
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.record.usage = read_usage(usage, self.record.engine_timings)
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self._add_choice(arrived_s, choices[0])
        elif choices is None and usage is None:
            self._fail(f"a chunk without choices: {quote(data)}")

    def _add_choice(self, arrived_s: float, choice: dict[str, Any]) -> None:
        record = self.record
        delta = choice.get("delta") or {}
        text = delta.get("content") or choice.get("text") or ""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        if text or reasoning:
            record.coalesced_chunks += arrived_s == self._last_chunk_s
            record.chunk_s.append(arrived_s)
            self._last_chunk_s = arrived_s
            self.pieces.append(text)
            self.thoughts.append(reasoning)
        if choice.get("finish_reason"):
            record.finish_reason, record.finish_s = choice["finish_reason"], arrived_s

    def _fail(self, error: str) -> None:
        self.record.error = self.record.error or error

    def close(self, failure: str, given_up: bool) -> None:
        """No more events; `failure` is what the connection says of its end, `given_up` whether the client ended it."""
        record = self.record
        record.text = "".join(self.pieces)
        record.reasoning = "".join(self.thoughts)
        if failure:
            # The connection's end comes first: a malformed last chunk is its consequence.
            record.error = failure if given_up else f"stream cut before [DONE]: {failure}"
        elif not record.error and not self.ended and not record.finish_reason:
            record.error = "stream ended before [DONE]"
        elif not record.error and not record.chunk_s and not record.usage.output_tokens:
            record.error = "empty stream: no token before its end"


async def read_answer(exchange: Exchange, zero_s: float) -> RequestRecord:
    """Make the record of an ended exchange, in slices that let the event loop read other streams in between.

    Args:
        exchange: an exchange whose end has been seen.
        zero_s: the run's start on the exchange's clock; the record's times count from it.
    """
    record = RequestRecord(
        request_id=exchange.request_id,
        scheduled_s=exchange.scheduled_s - zero_s,
        sent_s=None if exchange.sent_s is None else exchange.sent_s - zero_s,
        done_s=None if exchange.done_s is None else exchange.done_s - zero_s,
        status=exchange.status,
    )
    if exchange.status is None:
        record.error = exchange.failure or "no answer"
        return record
    if exchange.status != 200:
        record.error = f"HTTP {exchange.status}: {_words(exchange.body) or 'no message'}"
        return record
    answer = Answer(record)
    events = 0
    for events, (arrived_s, data) in enumerate(split_events(exchange.reads), start=1):
        answer.add(arrived_s - zero_s, data)
        if events % EVENTS_PER_SLICE == 0:
            await asyncio.sleep(0)
    if events == 0 and exchange.reads and not exchange.failure:
        record.error = f"not a stream of events: {quote(exchange.body)}"
        return record
    answer.close(exchange.failure, exchange.given_up)
    return record


def _words(body: bytes) -> str:
    try:
        message = error_message(orjson.loads(body))
    except orjson.JSONDecodeError:
        message = ""
    return message or quote(body)
