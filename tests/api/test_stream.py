import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.api.calls import Call
from helpers.api.refusal import Refused, UpstreamFailure
from helpers.api.stream import EventStream
from helpers.api.usage import engine_message, note_usage
from tests.api.upstreams import DONE, chunk, usage

TRICKY = chunk('say "usage": {"prompt_tokens": 99} and \n\n [DONE]')
STREAM = (
    chunk(role="assistant") + chunk("Hi") + TRICKY + b": comment\n\n" + chunk(finish="stop") + usage(5, 7, 2) + DONE
)


def call() -> Call:
    fresh = Call("id", "chat")
    fresh.estimate(11)
    return fresh


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_wherever_a_stream_is_cut_the_client_gets_the_same_whole_events(cuts: list[int]) -> None:
    one = call()
    stream = EventStream(one, usage_asked=False)
    edges = [0, *sorted(cuts), len(STREAM)]
    out = [stream.feed(STREAM[a:b]) for a, b in pairwise(edges) if a < b]
    assert b"".join(out) == STREAM.replace(usage(5, 7, 2), b"")
    assert all(piece.endswith(b"\n\n") for piece in out if piece)
    assert stream.end() == b""
    assert (one.prompt_tokens, one.output_tokens, one.cached_tokens, one.estimated) == (5, 7, 2, False)


def test_who_asked_for_usage_gets_every_byte() -> None:
    stream = EventStream(call(), usage_asked=True)
    assert stream.feed(STREAM) == STREAM


def test_usage_beside_a_choice_is_kept() -> None:
    one = call()
    event = (
        b'data: {"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\n'
    )
    assert EventStream(one, usage_asked=False).feed(event) == event
    assert one.output_tokens == 2


def test_lines_may_end_with_carriage_returns() -> None:
    stream = EventStream(call(), usage_asked=False)
    data = STREAM.replace(usage(5, 7, 2), b"").replace(b"\n", b"\r\n")
    assert b"".join(stream.feed(data[n : n + 7]) for n in range(0, len(data), 7)) == data
    assert stream.end() == b""


def test_until_usage_comes_tokens_are_estimated_from_events() -> None:
    one = call()
    stream = EventStream(one, usage_asked=False)
    stream.feed(chunk("a") + chunk("b"))
    assert (one.prompt_tokens, one.output_tokens, one.estimated) == (11, 2, True)
    with pytest.raises(UpstreamFailure) as failure:
        stream.end()
    assert failure.value.cause == "lost"


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    stream = EventStream(call(), usage_asked=False)
    for _ in range(41):
        assert stream.feed(b"x" * 100_000) == b""
    with pytest.raises(UpstreamFailure) as failure:
        stream.feed(b"x" * 100_000)
    assert failure.value.cause == "foreign"


@given(st.binary(max_size=200))
def test_any_bytes_may_stand_where_usage_should(data: bytes) -> None:
    one = call()
    note_usage(one, b'{"usage":' + data)
    note_usage(one, data + b'"usage": {"prompt_tokens": "many", "completion_tokens": -3, "prompt_tokens_details": []}')
    assert one.prompt_tokens >= 0
    assert one.output_tokens >= 0


def test_an_error_is_an_event_that_openai_s_clients_understand() -> None:
    event = EventStream(call(), usage_asked=False).error(Refused(502, "upstream_lost", "It ended."))
    assert json.loads(event.removeprefix(b"data:"))["error"]["message"] == "It ended."
    assert event.endswith(b"\n\n")


def test_an_engine_s_message_is_found_in_all_usual_forms() -> None:
    assert engine_message(b'{"error": {"message": "a"}}') == "a"
    assert engine_message(b'{"error": "b"}') == "b"
    assert engine_message(b"<html>") == engine_message(b"[]") == "The engine refused the request."
