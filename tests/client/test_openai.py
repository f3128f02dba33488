import asyncio
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from helpers.client.mock import Faults, MockServer
from helpers.client.openai import Client
from helpers.client.reply import RequestFailed
from helpers.errors import EngineFailed, UsageError
from tests.engines.conftest import until

SSE = "Content-Type: text/event-stream"


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.001, gap_s=0.0005, output_tokens=20) as mock:
        yield mock


@contextmanager
def scripted(head: str, body: bytes = b"") -> Iterator[str]:
    """A server that answers one request with given bytes and closes."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            received = b""
            while b"\r\n\r\n" not in received or b"messages" not in received:
                received += connection.recv(65536)
            connection.sendall(f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode() + body)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        thread.join(10)
        server.close()


def test_a_chat_has_text_usage_and_time_stamps(mock: MockServer) -> None:
    reply = Client(mock.url).chat("hello there", max_tokens=7)
    assert reply.text == str(reply) != ""
    assert reply.usage.output_tokens == 7
    assert reply.finish_reason == "length"
    record = reply.record
    assert len(record.chunk_s) == 7
    assert record.sent_s is not None
    assert record.done_s is not None
    assert 0 < record.sent_s < record.chunk_s[0] <= record.chunk_s[-1] <= record.done_s
    assert record.status == 200


def test_the_first_listed_model_is_asked_for(mock: MockServer) -> None:
    client = Client(mock.url)
    client.chat("hello")
    assert client.model == "mock"


def test_every_form_gives_the_same_words(mock: MockServer) -> None:
    client = Client(mock.url.removesuffix("/v1"), "mock")
    whole = client.chat("hello").text
    stream = client.stream("hello")
    assert "".join(stream) == whole
    assert stream.record.text == whole
    assert stream.record.usage.output_tokens == 20

    async def inside_a_loop() -> list[str]:
        pieces = [words async for words in client.astream("hello")]
        replies = await asyncio.gather(*(client.achat("hello") for _ in range(5)))
        return ["".join(pieces), client.chat("hello").text, "".join(client.stream("hello"))] + [
            reply.text for reply in replies
        ]

    assert asyncio.run(inside_a_loop()) == [whole] * 8
    assert client.complete("hello").usage.output_tokens == 20
    assert asyncio.run(client.acomplete("hello")).usage.output_tokens == 20


def test_messages_and_a_system_message_are_sent(mock: MockServer) -> None:
    client = Client(mock.url, "mock")
    alone = client.chat([{"role": "user", "content": "one two three"}]).usage.prompt_tokens
    with_system = client.chat("one two three", system="be brief please").usage.prompt_tokens
    assert alone is not None
    assert with_system is not None
    assert with_system > alone


def test_leaving_a_stream_stops_the_server(mock: MockServer) -> None:
    mock.reset()
    stream = Client(mock.url, "mock").stream("hello", max_tokens=100_000, ignore_eos=True)
    for number, _ in enumerate(stream):
        if number == 2:
            break
    assert stream.record.error == "stopped by the client"
    assert stream.record.text
    assert stream.record.done_s is not None
    # The server hears of it when its next write fails.
    assert until(lambda: mock.truth().requests[0].outcome == "cancelled")


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(error_rate=1.0, error_status=500), "HTTP 500: the mock server was told to fail"),
        (Faults(error_rate=1.0, error_status=429), r"(?s)HTTP 429.*more requests than it accepts"),
        (Faults(error_rate=1.0, error_status=404), r"(?s)HTTP 404.*model's name is wrong"),
        (Faults(malformed_rate=1.0), "malformed chunk"),
        (Faults(drop_rate=1.0), "stream cut before .DONE.: connection closed by the server after part"),
        (Faults(empty_rate=1.0), "empty stream"),
        (Faults(foreign=True), "not an OpenAI answer|HTTP"),
    ],
)
def test_a_fault_is_an_error_that_names_it(faults: Faults, message: str) -> None:
    with MockServer(ttft_s=0.0, gap_s=0.0, output_tokens=6, faults=faults) as faulty:
        with pytest.raises(RequestFailed, match=message) as caught:
            Client(faulty.url, "mock").chat("hello")
        assert caught.value.record.error
        assert caught.value.record.done_s is not None
        if faults.drop_rate or faults.malformed_rate:
            assert caught.value.record.text


def test_a_request_that_takes_too_long_is_given_up() -> None:
    with MockServer(faults=Faults(stall_rate=1.0, stall_s=60.0), output_tokens=6, gap_s=0.0) as stalling:
        with pytest.raises(RequestFailed, match=r"no end of the answer within 0\.3 s") as caught:
            Client(stalling.url, "mock", timeout_s=0.3).chat("hello")
        assert caught.value.record.text


@pytest.mark.parametrize("form", ["chat", "stream"])
def test_an_interrupt_ends_the_waiting_and_stops_the_server(form: str) -> None:
    with MockServer(faults=Faults(stall_rate=1.0, stall_s=60.0), output_tokens=6, gap_s=0.0) as stalling:
        client = Client(stalling.url, "mock")

        def ask() -> None:
            for _ in client.stream("hello") if form == "stream" else client.chat("hello").text:
                pass

        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ask()
        timer.join()
        assert until(lambda: stalling.truth().requests[0].outcome == "cancelled")


@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        ("200 OK\r\nContent-Type: text/html", b"<html>Welcome</html>", "not an OpenAI answer: <html>Welcome"),
        ("200 OK\r\nContent-Type: application/json", b'{"answer": 42}', "not an OpenAI answer"),
        ("502 Bad Gateway\r\nContent-Type: text/html", b"<h1>bad</h1>", "HTTP 502: <h1>bad"),
        (f"200 OK\r\n{SSE}", b"", "stream ended before"),
        (f"200 OK\r\n{SSE}", b"data: [DONE]\n\n", "empty stream"),
        (f"200 OK\r\n{SSE}", b'data: {"error": {"message": "out of slots"}}\n\n', "out of slots"),
        (f"200 OK\r\n{SSE}", b'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: {"cho', "malformed chunk"),
        (f"200 OK\r\n{SSE}\r\nContent-Length: 999", b"data: {}\n\n", "stream cut before"),
    ],
)
def test_answers_of_other_kinds_are_told(head: str, body: bytes, message: str) -> None:
    with scripted(head, body) as url, pytest.raises(RequestFailed, match=message):
        Client(url, "m").chat("hello")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_both_line_ends_are_read(end: bytes) -> None:
    body = b'data: {"choices": [{"delta": {"content": "a"}}]}' + end + b"data: [DONE]" + end
    with scripted(f"200 OK\r\n{SSE}", body) as url:
        assert Client(url, "m").chat("hello").text == "a"


def test_a_server_that_does_not_stream_is_read_whole() -> None:
    body = (
        b'{"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}'
    )
    with scripted("200 OK\r\nContent-Type: application/json", body) as url:
        reply = Client(url, "m").chat("hello")
    assert (reply.text, reply.finish_reason, reply.usage.output_tokens) == ("whole", "stop", 1)


def test_hidden_reasoning_is_kept_apart_and_not_streamed() -> None:
    body = b'data: {"choices": [{"delta": {"reasoning_content": "hm"}}]}\n\n'
    body += b'data: {"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    with scripted(f"200 OK\r\n{SSE}", body) as url:
        stream = Client(url, "m").stream("hello")
        assert list(stream) == ["yes"]
    assert stream.record.reasoning == "hm"
    assert len(stream.record.chunk_s) == 2


def test_nobody_there_is_told() -> None:
    with pytest.raises(RequestFailed, match=r"(?s)connection refused by 127.0.0.1:9.*curl") as caught:
        Client("http://127.0.0.1:9", "m").chat("hello")
    assert caught.value.record.status is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.record) == (str(caught.value), caught.value.record)


def test_no_model_to_ask_for_is_told() -> None:
    with MockServer(faults=Faults(foreign=True)) as foreign, pytest.raises(EngineFailed, match="lists no models"):
        Client(foreign.url).chat("hello")


def test_wrong_use_is_refused_with_the_close_name() -> None:
    client = Client("http://127.0.0.1:9", "m")
    with pytest.raises(UsageError, match="did you mean max_tokens"):
        client.chat("hello", max_token=5)
    with pytest.raises(UsageError, match="did you mean temperature"):
        client.stream("hello", temprature=5)
    with pytest.raises(UsageError, match="a text or a list of messages"):
        client.chat(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"use chat\(\)"):
        client.complete([{"role": "user", "content": "hello"}])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no"):
        Client("127.0.0.1")
