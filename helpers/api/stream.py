"""Bytes to the client: whole events at a time, as they come; only what accounting needs is looked at.

A translator stands between an engine's answer and the client's. `EventStream` leaves the bytes as they are; those of
`ollama_answers` write another protocol.
"""

from typing import Protocol

from helpers.api.calls import Call
from helpers.api.refusal import LOST, Refused, UpstreamFailure, error_body
from helpers.api.usage import note_usage

MAX_EVENT_BYTES = 4 * 2**20
"""An event longer than this is no event."""

EVENT_ENDS = (b"\n\n", b"\r\n\r\n")


class Translator(Protocol):
    """What the flow needs of an answer's form.

    `feed` takes a piece of the engine's stream and returns what the client gets now, perhaps nothing; `end` is called
    after the last piece, and raises UpstreamFailure if that was not the end; `whole` takes an answer that is no stream.
    `accepts` is the media type of the engine's stream, `kind` that of the client's.
    """

    accepts: bytes
    kind: bytes

    @property
    def heartbeat(self) -> bytes: ...  # noqa: D102
    def feed(self, data: bytes) -> bytes: ...  # noqa: D102
    def end(self) -> bytes: ...  # noqa: D102
    def whole(self, body: bytes) -> bytes: ...  # noqa: D102
    def refused(self, body: bytes) -> bytes: ...  # noqa: D102
    def error(self, refusal: Refused) -> bytes: ...  # noqa: D102


class EventStream:
    """Server-sent events, unchanged, except that the usage event is kept from a client that did not ask for it."""

    accepts = b"text/event-stream"
    kind = b"text/event-stream; charset=utf-8"
    heartbeat = b": waiting for the first token\n\n"

    def __init__(self, call: Call, usage_asked: bool) -> None:
        self._call = call
        self._usage_asked = usage_asked
        self._rest = b""
        self._done = False

    def feed(self, data: bytes) -> bytes:
        """Pass on the events that are whole; the start of the next one waits for its end."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not data.endswith(EVENT_ENDS):
            cut = max(data.rfind(end) + len(end) if end in data else 0 for end in EVENT_ENDS)
            data, self._rest = data[:cut], data[cut:]
            if len(self._rest) > MAX_EVENT_BYTES:
                raise UpstreamFailure("foreign", "an event without an end")
        if b'"usage"' in data:
            data = self._take_usage(data)
        if self._call.estimated:
            self._call.output_tokens += data.count(b"data:")
        if b"[DONE]" in data[-16:]:
            self._done = True
        return data

    def end(self) -> bytes:
        """Nothing more to write; an answer without its [DONE] was cut."""
        if not self._done:
            raise UpstreamFailure("lost", LOST)
        return b""

    def whole(self, body: bytes) -> bytes:
        """An answer in one piece, unchanged."""
        note_usage(self._call, body)
        return body

    def refused(self, body: bytes) -> bytes:
        """The engine's own words to a request it does not like, unchanged."""
        return body

    def error(self, refusal: Refused) -> bytes:
        """The event that ends a stream which cannot go on; the [DONE] of a good end does not follow."""
        return b"data: " + error_body(refusal) + b"\n\n"

    def _take_usage(self, data: bytes) -> bytes:
        if not note_usage(self._call, data) or self._usage_asked:
            return data
        events = data.split(b"\n\n")
        return b"\n\n".join(event for event in events if b'"usage"' not in event or not is_usage_only(event))


def is_usage_only(event: bytes) -> bool:
    """True for the event that carries usage and no choice."""
    return b'"choices":[]' in event or b'"choices": []' in event
