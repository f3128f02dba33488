"""What upstreams do to each other's requests: failover, retries, breaker, cancellation."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers.api.settings import Limits, Timeouts, UpstreamSettings
from helpers.client.mock import MockServer
from tests.api.gateways import ASK, Gateway, events, gateway, until
from tests.api.upstreams import DONE, Reply, Sent, chunk, completion, upstream

STREAMS = 12


def test_an_upstream_killed_under_load_costs_no_request_that_had_not_started(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.6, gap_s=0.002, output_tokens=20) as first,
        MockServer(ttft_s=0.6, gap_s=0.002, output_tokens=20) as second,
        gateway(tmp_path, first.url, second.url, limits=Limits(affinity_slack=0)) as front,
        ThreadPoolExecutor(STREAMS) as pool,
    ):
        asked = [pool.submit(front.chat, stream=True) for _ in range(STREAMS)]
        until(lambda: first.truth().peak_in_flight >= 3)
        assert first._process is not None
        first._process.kill()
        for answer in asked:
            said = events(answer.result(20).text)
            words = sum(bool(e["choices"][0]["delta"].get("content")) for e in said if "choices" in e)
            assert words == 20 or (words > 0 and said[-1]["error"]["code"] == "upstream_lost")
        rows = front.usage()
        assert {row["outcome"] for row in rows} <= {"ok", "upstream_lost"}
        assert sum(row["outcome"] == "ok" for row in rows) >= STREAMS // 2
        assert front.chat().status_code == 200


def test_streams_that_had_started_get_an_error_event_and_a_returning_upstream_is_used_again(tmp_path: Path) -> None:
    with MockServer(ttft_s=0.01, gap_s=0.05, output_tokens=100) as dying:
        port = int(dying.url.split(":")[2].split("/")[0])
        with gateway(tmp_path, dying.url) as front, ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(front.chat, stream=True) for _ in range(4)]
            until(lambda: sum(r.tokens for r in dying.truth().requests) > 8)
            dying.stop()
            for answer in asked:
                assert events(answer.result(20).text)[-1]["error"]["code"] == "upstream_lost"
            gone = front.chat()
            assert gone.status_code in (502, 503)
            until(lambda: front.get("/ready").status_code == 503)
            refused = front.chat()
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "upstream_unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            with MockServer(port=port, output_tokens=4):
                until(lambda: front.chat().status_code == 200, limit_s=10)
                assert front.get("/ready").status_code == 200


def test_a_plain_answer_that_is_cut_is_asked_for_elsewhere(tmp_path: Path) -> None:
    async def cutting(sent: Sent, reply: Reply) -> None:
        await reply.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"half":')
        await asyncio.sleep(0.02)
        reply.cut()

    async def good(sent: Sent, reply: Reply) -> None:
        await reply.whole(completion("here"))

    with upstream(cutting) as bad, upstream(good) as fine, gateway(tmp_path, bad.url, fine.url) as front:
        for _ in range(4):
            assert front.chat().json()["choices"][0]["message"]["content"] == "here"
        assert bad.sent
        assert front.get("/metrics").text.count('gateway_upstream_failures_total{cause="lost",upstream="m-1"}') == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_another_upstream_takes_over_from_one_that_fails_or_is_busy(tmp_path: Path, status: int) -> None:
    async def failing(sent: Sent, reply: Reply) -> None:
        await reply.whole({"error": {"message": "no"}}, status, headers="Retry-After: 7\r\n")

    async def good(sent: Sent, reply: Reply) -> None:
        await reply.whole(completion("here"))

    with upstream(failing) as bad, upstream(good) as fine:
        with gateway(tmp_path, bad.url, fine.url) as front:
            for _ in range(4):
                assert front.chat().status_code == 200
            assert bad.sent
        with gateway(tmp_path, bad.url) as front:
            alone = front.chat()
            assert alone.status_code == {429: 429, 500: 502, 503: 503}[status]
            if status != 500:
                assert alone.headers["retry-after"] == "7"


def test_a_failing_upstream_is_left_alone_until_a_trial_succeeds(tmp_path: Path) -> None:
    failing = True

    async def handler(sent: Sent, reply: Reply) -> None:
        await (reply.whole({"error": "no"}, 500) if failing else reply.whole(completion("again")))

    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        for _ in range(6):
            front.chat()
        assert len(engine.sent) == 3
        failing = False
        until(lambda: front.chat().status_code == 200)
        assert front.chat().status_code == 200


def test_after_the_first_event_there_is_no_second_try(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.stream(chunk("a"), end=False)
        reply.cut()

    with upstream(handler) as one, upstream(handler) as two, gateway(tmp_path, one.url, two.url) as front:
        said = events(front.chat(stream=True).text)
        assert [len(said), len(one.sent) + len(two.sent)] == [2, 1]
        assert said[1]["error"]["code"] == "upstream_lost"


def test_a_stream_without_its_done_is_cut(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.stream(chunk("a"))

    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        assert events(front.chat(stream=True).text)[-1]["error"]["code"] == "upstream_lost"


def test_a_kept_connection_that_the_engine_has_closed_costs_nothing(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        if sent.fields.get("stream"):
            await reply.stream(chunk("a"), DONE)
        else:
            await reply.whole(completion("a"))
        reply.writer.close()

    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        for number in range(10):
            assert front.chat(stream=number % 2 == 0).status_code == 200
        assert {row["outcome"] for row in front.usage()} == {"ok"}


def test_connections_are_kept_and_used_again(tmp_path: Path) -> None:
    with MockServer(ttft_s=0, gap_s=0, output_tokens=2) as mock, gateway(tmp_path, mock.url) as front:
        for number in range(10):
            front.chat(stream=number % 2 == 0)
        assert mock.truth().connections <= 4


def send_and_leave(front: Gateway, after_bytes: int, **fields: object) -> socket.socket:
    body = json.dumps({**ASK, **fields}).encode()
    connection = socket.create_connection(("127.0.0.1", int(front.root.rsplit(":", 1)[1])))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    got = 0
    while got < after_bytes:
        got += len(connection.recv(65536))
    return connection


@pytest.mark.parametrize(("stream", "after_bytes"), [(True, 1500), (True, 0), (False, 0)])
def test_when_the_client_leaves_the_upstream_stops(tmp_path: Path, stream: bool, after_bytes: int) -> None:
    with MockServer(ttft_s=0.05, gap_s=0.02, output_tokens=500) as mock, gateway(tmp_path, mock.url) as front:
        connection = send_and_leave(front, after_bytes, stream=stream)
        until(lambda: len(mock.truth().requests) == 1)
        connection.close()
        until(lambda: mock.truth().requests[0].outcome == "cancelled", limit_s=2)
        row = front.usage()[0]
        assert (row["outcome"], row["estimated"], row["prompt_tokens"] > 0) == ("client_left", True, True)
        assert row["output_tokens"] > 0 or not after_bytes
        assert [target.in_flight for target in front.state.router.targets] == [0]


def test_a_client_that_leaves_the_queue_never_reaches_the_upstream(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.5, output_tokens=2) as mock,
        gateway(tmp_path, mock.url, limits=Limits(max_in_flight=1)) as front,
    ):
        first = send_and_leave(front, 0)
        until(lambda: front.state.queue.in_flight == 1)
        second = send_and_leave(front, 0)
        until(lambda: front.state.queue.waiting == 1)
        second.close()
        until(lambda: front.state.queue.waiting == 0)
        assert front.chat().status_code == 200
        first.close()
        assert len(mock.truth().requests) == 2


STORM = 60
"""Clients that leave at once; a benchmark raises it."""


def test_after_a_storm_of_leaving_clients_nothing_is_left(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.05, gap_s=0.02, output_tokens=1000) as mock,
        gateway(tmp_path, mock.url, limits=Limits(max_in_flight=STORM)) as front,
    ):
        connections = [send_and_leave(front, 0, stream=number % 2 == 0) for number in range(STORM)]
        until(lambda: len(mock.truth().requests) == STORM)
        for connection in connections:
            connection.close()
        until(lambda: all(request.outcome == "cancelled" for request in mock.truth().requests), limit_s=3)
        until(lambda: front.state.running == 0)
        assert (front.state.queue.in_flight, front.state.queue.waiting) == (0, 0)
        assert front.chat(max_tokens=1).status_code == 200


def test_a_pipelining_client_that_leaves_stops_all_its_requests(tmp_path: Path) -> None:
    with MockServer(ttft_s=0.05, gap_s=0.02, output_tokens=1000) as mock, gateway(tmp_path, mock.url) as front:
        connection = send_and_leave(front, 0, stream=True)
        until(lambda: len(mock.truth().requests) == 1)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.05)
        connection.close()
        until(lambda: mock.truth().requests[0].outcome == "cancelled", limit_s=2)


def test_a_slow_client_is_cut_off_and_the_upstream_with_it(tmp_path: Path) -> None:
    stop = threading.Event()

    async def flooding(sent: Sent, reply: Reply) -> None:
        piece = chunk("x" * 60_000)
        await reply.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.is_set():
            await reply.raw(b"%x\r\n%s\r\n" % (len(piece), piece))

    with (
        upstream(flooding) as engine,
        gateway(tmp_path, engine.url, timeouts=Timeouts(slow_client_s=0.3)) as front,
    ):
        connection = send_and_leave(front, 1, stream=True)
        until(lambda: front.state.running == 0, limit_s=10)
        assert front.usage()[0]["outcome"] == "client_left"
        until(lambda: engine.left > 0)
        connection.close()
        stop.set()


def test_two_upstreams_with_one_model_share_it_and_each_has_its_own(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.whole(completion(sent.headers["host"]))

    with upstream(handler, "both", "a") as one, upstream(handler, "both", "b") as two:
        named = (UpstreamSettings("one", (one.url,)), UpstreamSettings("two", (two.url.removesuffix("/v1"),), "sk-up"))
        with gateway(tmp_path, upstreams=named, limits=Limits(affinity_slack=0)) as front:
            for model, where in (("a", one), ("b", two), ("one", one), ("two", two)):
                said = front.chat(model=model).json()["choices"][0]["message"]["content"]
                assert said in where.url
            assert two.sent[0].headers["authorization"] == "Bearer sk-up"
            for number in range(8):
                front.chat(model="both", messages=[{"role": "user", "content": str(number)}])
            assert len(one.sent) > 2
            assert len(two.sent) > 2
