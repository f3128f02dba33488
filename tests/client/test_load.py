"""The measuring client against the mock server and against servers that misbehave."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from helpers.client.answers import Answer, split_events
from helpers.client.load import STREAM_GAP_S, LoadClient, closed_loop, open_loop
from helpers.client.loop import run_apart
from helpers.client.mock import MockServer
from helpers.client.records import RequestRecord
from helpers.client.wire import Endpoint
from helpers.errors import UsageError
from tests.client.servers import DONE, scripted, stream, token


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.02, gap_s=0.002, output_tokens=8) as server:
        yield server


def ask(
    url: str,
    count: int = 1,
    *,
    concurrency: int = 1,
    times_s: list[float] | None = None,
    path: str = "/chat/completions",
    timeout_s: float = 10.0,
    opened: list[int] | None = None,
    **payload: object,
) -> list[RequestRecord]:
    """Put some requests on a server, in order of their ends."""
    records: list[RequestRecord] = []
    client = LoadClient(url, timeout_s=timeout_s, connect_timeout_s=2.0)
    words = {"prompt": "one two"} if path == "/completions" else {"messages": [{"role": "user", "content": "one two"}]}
    requests = [client.encode(f"r{n}", path, {"model": "mock", **words, **payload}) for n in range(count)]

    async def load() -> None:
        if times_s is None:
            await closed_loop(client, requests, concurrency, records.append)
        else:
            await open_loop(client, requests, times_s, records.append)
        if opened is not None:
            opened.append(client.pool.opened)
        await client.close()

    run_apart(load)
    return records


def one_error(url: str, **options: object) -> str:
    (record,) = ask(url, **options)
    assert not record.ok
    assert record.done_s is not None
    return record.error


def test_a_record_holds_the_whole_answer(mock: MockServer):
    (record,) = ask(mock.url)
    assert (record.error, record.status, record.finish_reason) == ("", 200, "stop")
    assert record.text == "tokens leave here one by one at known"
    assert (record.usage.prompt_tokens, record.usage.output_tokens, record.usage.cached_tokens) == (6, 8, 0)
    assert len(record.chunk_s) == 8
    assert 0 <= record.scheduled_s == record.sent_s < record.chunk_s[0] < record.chunk_s[-1] <= record.done_s


def test_completions_are_read_like_chat(mock: MockServer):
    (record,) = ask(mock.url, path="/completions")
    assert (record.error, record.text[:11], record.usage.prompt_tokens) == ("", "tokens leav", 2)


def test_times_agree_with_what_the_server_did(mock: MockServer):
    mock.reset()
    records = {record.request_id: record for record in ask(mock.url, 32, concurrency=8)}
    truth = mock.truth()
    assert truth.peak_in_flight == 8
    assert {request.outcome for request in truth.requests} == {"ok"}
    for request in truth.requests:
        record = records[request.request_id]
        # The client cannot see a token before it was written; how much later is for `bench calibrate`.
        assert record.ttft_s >= request.ttft_s
        assert record.chunk_s[-1] - record.chunk_s[0] == pytest.approx(sum(request.gaps_s), abs=0.5)


def test_streams_begin_one_after_the_other():
    with MockServer(ttft_s=0.5, gap_s=0.0, output_tokens=1) as slow:
        sent_s = sorted(record.sent_s for record in ask(slow.url, 16, concurrency=8))
        assert slow.truth().peak_in_flight == 8
    assert sent_s[7] - sent_s[0] > 2 * STREAM_GAP_S  # seven gaps; the loop's clock may lag behind at the start


def test_the_first_answers_end_calls_the_streams_that_wait():
    # The first answer ends after a few streams have begun; without its call the peak would be about thirty.
    with MockServer(ttft_s=0.1, gap_s=0.0, output_tokens=1) as quick:
        assert all(record.ok for record in ask(quick.url, 512, concurrency=256))
        assert quick.truth().peak_in_flight == 256


def test_single_requests_are_all_sent_at_once():
    with MockServer(ttft_s=0.0, gap_s=0.01, output_tokens=2) as quick:
        assert all(record.ok for record in ask(quick.url, 32, concurrency=32))
        assert quick.truth().peak_in_flight == 32


def test_connections_are_reused(mock: MockServer):
    opened: list[int] = []
    assert all(record.ok for record in ask(mock.url, 30, concurrency=3, opened=opened))
    assert opened == [3]


def test_an_open_loop_does_not_wait_for_answers():
    with MockServer(ttft_s=0.5, gap_s=0.0, output_tokens=1) as slow:
        records = ask(slow.url, 6, times_s=[0.0] * 6)
        assert slow.truth().peak_in_flight == 6
    assert all(record.ok and record.scheduled_s == 0.0 <= record.sent_s for record in records)


def test_scheduled_and_sent_are_told_apart(mock: MockServer):
    records = sorted(ask(mock.url, 3, times_s=[0.0, 0.05, 0.1]), key=lambda record: record.request_id)
    assert [record.scheduled_s for record in records] == pytest.approx([0.0, 0.05, 0.1])
    assert all(record.sent_s >= record.scheduled_s for record in records)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"error_rate": 1, "error_status": 429}, "HTTP 429: the mock server was told to fail"),
        ({"drop_rate": 1}, "stream cut before [DONE]: connection closed by the server after part of the answer"),
        ({"malformed_rate": 1}, 'malformed chunk: {"choices": [{"delta": {"content": "bro'),
        ({"empty_rate": 1}, "empty stream: no token before its end"),
        ({"foreign": True}, "not a stream of events: <!doctype html>"),
        ({"stall_rate": 1, "stall_s": 60}, "no end of the answer within 0.5 s"),
    ],
)
def test_each_fault_becomes_that_requests_error(fault: dict[str, object], words: str):
    with MockServer(ttft_s=0.01, gap_s=0.001, output_tokens=8, faults=fault) as server:
        records = ask(server.url, 3, concurrency=3, timeout_s=0.5 if "stall_rate" in fault else 10.0)
    assert len(records) == 3
    for record in records:
        assert record.error.startswith(words)
        assert record.done_s is not None


def test_faults_of_some_leave_the_others_whole():
    with MockServer(ttft_s=0.01, gap_s=0.001, output_tokens=8, faults={"drop_rate": 0.3, "seed": 1}) as server:
        records = ask(server.url, 40, concurrency=8)
        outcomes = [request.outcome for request in server.truth().requests]
    assert 0 < outcomes.count("dropped") < 40
    assert sum(not record.ok for record in records) == outcomes.count("dropped")
    assert all(len(record.chunk_s) == 8 for record in records if record.ok)


def test_coalesced_chunks_are_counted():
    with MockServer(ttft_s=0.01, gap_s=0.001, output_tokens=8, faults={"coalesce": 4}) as server:
        (record,) = ask(server.url)
    assert len(record.chunk_s) == 8
    # Two writes of four tokens; a reader that is kept waiting may find both at once.
    assert record.coalesced_chunks == record.gaps_s.count(0.0) in (6, 7)


def test_connection_refused():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert one_error(f"http://127.0.0.1:{port}") == f"connection refused by 127.0.0.1:{port}"


def test_unknown_host():
    assert one_error("http://no-such-host.invalid:1").startswith("no connection to no-such-host.invalid:1: ")


def test_a_server_that_never_accepts_meets_the_total_bound():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        error = one_error(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=0.3)
    assert error == "no end of the answer within 0.3 s"


def test_not_http():
    with scripted([b"SSH-2.0-OpenSSH_9.9\r\n"]) as url:
        assert one_error(url).startswith("the answer is not HTTP/1.1: ")


def test_closed_without_a_word():
    with scripted([b""]) as url:
        assert one_error(url) == "connection closed by the server before any answer"


def test_ended_before_done():
    with scripted([stream(token("Hi"))]) as url:
        assert one_error(url) == "stream ended before [DONE]"


def test_an_error_inside_the_stream():
    with scripted([stream(token("Hi"), 'data: {"error": {"message": "out of\\nmemory"}}\n\n', DONE)]) as url:
        assert one_error(url) == "error inside the stream: out of memory"


def test_an_error_without_json():
    with scripted([b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 16\r\n\r\n<h1>Bad\n way</h1>"[:-1]]) as url:
        assert one_error(url) == "HTTP 502: <h1>Bad way</h1"


def test_a_stream_that_ends_with_its_connection():
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with scripted([head + (token("Hi") + DONE).encode()]) as url:
        (record,) = ask(url)
    assert (record.error, record.text) == ("", "Hi")


def test_a_server_that_breaks_its_promise_to_keep_connections_is_asked_again():
    answer = stream(token("Hi"), DONE, headers="Keep-Alive: timeout=5\r\n")
    opened: list[int] = []
    # The second request finds its connection closed, and goes out again; the third gets its own from the start.
    with scripted([answer, b"", answer, answer], close=False) as url:
        records = ask(url, 3, opened=opened)
    assert [record.error for record in records] == ["", "", ""]
    assert opened == [3]


def test_reasoning_counts_as_the_first_token():
    thinking = 'data: {"choices": [{"delta": {"reasoning_content": "Hm"}}]}\n\n'
    with scripted([stream(thinking, token("Hi"), DONE)]) as url:
        (record,) = ask(url)
    assert (record.reasoning, record.text, len(record.chunk_s)) == ("Hm", "Hi", 2)


def test_a_role_without_words_is_no_token():
    answer = Answer(RequestRecord("r"))
    answer.add(1.0, b'{"choices": [{"delta": {"role": "assistant", "content": ""}}]}')
    answer.add(2.0, b'{"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}')
    answer.add(
        3.0, b'{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}, "timings": {"draft_n": 4}}'
    )
    answer.close("", False)
    assert answer.record.chunk_s == [2.0]
    assert (answer.record.usage.draft_tokens, answer.record.usage.cached_tokens) == (4, None)


def test_tokens_without_text_after_the_last_words_take_their_time():
    answer = Answer(RequestRecord("r", sent_s=0.0))
    answer.add(1.0, b'{"choices": [{"delta": {"content": "Hi"}}]}')
    answer.add(2.0, b'{"choices": [{"delta": {"content": "!"}}]}')
    answer.add(9.0, b'{"choices": [{"delta": {}, "finish_reason": "length"}]}')
    answer.add(9.5, b'{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}}')
    answer.close("", False)
    record = answer.record
    assert (record.chunk_s, record.finish_s, record.tpot_s) == ([1.0, 2.0], 9.0, 1.0)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_events_survive_any_cut_into_reads(step: int):
    body = b": comment\n\ndata: a\r\n\r\nevent: x\ndata:b\ndata: c\n\ndata: [DONE]\n\n"
    reads = [(float(at), body[at : at + step]) for at in range(0, len(body), step)]
    assert [data for _, data in split_events(reads)] == [b"a", b"b\nc", b"[DONE]"]


def test_an_event_arrives_with_the_read_that_completes_it():
    events = list(split_events([(1.0, b"data: a\n\ndata: b"), (2.0, b"\n\ndata: c\n\n"), (3.0, b"data: d")]))
    assert events == [(1.0, b"a"), (2.0, b"b"), (2.0, b"c"), (3.0, b"d")]


def test_endpoints():
    assert Endpoint.parse("http://localhost:8000") == Endpoint("localhost", 8000, "/v1", False)
    assert Endpoint.parse("https://host/proxy/v1/") == Endpoint("host", 443, "/proxy/v1", True)
    assert Endpoint.parse("http://[::1]:80/v1").authority == "[::1]:80"
    for wrong in ("localhost:8000", "ftp://host", "http://", "http://host:port"):
        with pytest.raises(UsageError):
            Endpoint.parse(wrong)


def test_what_had_ended_when_a_load_is_stopped_is_recorded(mock: MockServer):
    records: list[RequestRecord] = []
    client = LoadClient(mock.url)
    payload = {"messages": [{"role": "user", "content": "x"}]}
    requests = [client.encode(f"r{n}", "/chat/completions", payload) for n in range(1000)]

    def stop_when_some_have_ended() -> None:
        if len(records) >= 4:
            raise KeyboardInterrupt

    async def load() -> None:
        try:
            await closed_loop(client, requests, 4, records.append)
        finally:
            await client.close()

    mock.reset()
    with pytest.raises(KeyboardInterrupt):
        run_apart(load, stop_when_some_have_ended)
    assert 4 <= len(records) < 1000
    assert all(record.ok for record in records)
    assert sum(request.outcome == "ok" for request in mock.truth().requests) == len(records)


def test_it_runs_inside_a_running_loop(mock: MockServer):
    async def notebook() -> list[RequestRecord]:
        return ask(mock.url)

    assert asyncio.run(notebook())[0].ok


def test_errors_of_the_load_reach_the_caller():
    async def broken() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        run_apart(broken)
