"""A request through the whole gateway, over real sockets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from helpers.api.settings import Limits, Timeouts
from helpers.client.mock import MockServer
from tests.api.gateways import ASK, Gateway, events, gateway, until
from tests.api.upstreams import DONE, Reply, Sent, chunk, completion, upstream, usage


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(ttft_s=0.002, gap_s=0.001, output_tokens=8) as mock:
        yield mock


@pytest.fixture(scope="module")
def front(mock: MockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway"), mock.url, aliases={"gpt-4o": "mock"}) as front:
        yield front


@pytest.fixture(scope="module")
def official(front: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{front.root}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_official_client_gets_plain_answers_and_streams(official: openai.OpenAI) -> None:
    messages: Any = ASK["messages"]
    plain = official.chat.completions.create(model="mock", messages=messages)
    assert plain.choices[0].message.content == "tokens leave here one by one at known"
    assert plain.usage is not None
    assert plain.usage.completion_tokens == 8
    with official.chat.completions.create(model="mock", messages=messages, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain.choices[0].message.content
    assert official.completions.create(model="mock", prompt="Once").choices[0].text


def test_the_official_client_lists_models_and_aliases(official: openai.OpenAI) -> None:
    assert {model.id for model in official.models.list()} == {"mock", "gpt-4o"}
    assert official.models.retrieve("gpt-4o").owned_by == "m"
    assert official.chat.completions.create(model="gpt-4o", messages=ASK["messages"]).choices  # type: ignore[arg-type]


def test_errors_reach_the_official_client_in_its_own_form(official: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        official.chat.completions.create(model="none", messages=ASK["messages"])  # type: ignore[arg-type]
    assert caught.value.code == "model_not_found"


def test_usage_comes_only_to_who_asked_and_is_accounted_for_all(front: Gateway) -> None:
    before = len(front.usage())
    assert all("usage" not in event for event in events(front.chat(stream=True).text))
    asked = events(front.chat(stream=True, stream_options={"include_usage": True}).text)
    assert asked[-1]["usage"]["completion_tokens"] == 8
    front.chat()
    rows = front.usage()[before:]
    assert [(row["output_tokens"], row["estimated"]) for row in rows] == [(8, False)] * 3
    assert [row["ttft_s"] is not None for row in rows] == [True, True, True]


def test_streams_tell_proxies_not_to_hold_anything_back(front: Gateway) -> None:
    response = front.chat(stream=True)
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")


def test_a_request_keeps_its_own_id_or_gets_one(front: Gateway) -> None:
    body = json.dumps(ASK).encode()
    assert front.post("/v1/chat/completions", body, **{"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = front.post("/v1/chat/completions", body, **{"x-request-id": "no good; " + "x" * 99}).headers["x-request-id"]
    assert made
    assert " " not in made


def test_the_client_s_bytes_reach_the_engine_unharmed(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.whole(completion("yes", reasoning_content="hm"))

    body = (
        b'{ "model":"mock", "temperature": 0, "top_k": 12345678901234567890123, "seed": 7.50,\n "messages":'
        b'[{"role":"user","content":"\\u00e4 \\ud83d\\ude00"}], "engine_field": {"a": [1, 2.0]}, "tools": [] }'
    )
    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        answer = front.post("/v1/chat/completions", body)
        assert engine.sent[0].body == body
        assert "authorization" not in engine.sent[0].headers
        assert answer.json() == completion("yes", reasoning_content="hm")


def test_only_asking_for_usage_is_added_to_a_stream_s_bytes(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.stream(chunk("a"), usage(3, 1), DONE)

    with upstream(handler) as engine, gateway(tmp_path, engine.url, aliases={"other": "mock"}) as front:
        front.chat(stream=True, temperature=0)
        front.chat(stream=True, model="other", stream_options={"chunk_size": 2})
        first, second = engine.sent
        assert first.fields == {**ASK, "stream": True, "temperature": 0, "stream_options": {"include_usage": True}}
        assert b'"temperature": 0,' in first.body
        assert second.fields["model"] == "mock"
        assert second.fields["stream_options"] == {"chunk_size": 2, "include_usage": True}


def test_an_engine_s_refusal_is_passed_on_and_its_failure_is_not(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        status = sent.fields["status"]
        said = "temperature is too high" if status == 422 else "at http://10.0.0.7:8000 in line 3"
        await reply.whole({"error": {"message": said}}, status)

    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        refused = front.chat(status=422)
        assert (refused.status_code, refused.json()["error"]["message"]) == (422, "temperature is too high")
        failed = front.chat(status=500)
        assert failed.status_code == 502
        assert "10.0.0.7" not in failed.text
        assert [row["outcome"] for row in front.usage()] == ["upstream_refused", "upstream_status"]
        assert [row["prompt_tokens"] for row in front.usage()] == [0, 0]


def test_what_is_no_answer_of_an_engine_is_a_bad_gateway(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.whole(b"<html>It works!</html>", kind="text/html")

    with upstream(handler) as engine, gateway(tmp_path, engine.url) as front:
        assert front.chat().json()["error"]["code"] == "upstream_foreign"


def test_an_answer_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    async def handler(sent: Sent, reply: Reply) -> None:
        await reply.whole(completion("x" * 5000))

    with upstream(handler) as engine, gateway(tmp_path, engine.url, limits=Limits(max_answer_bytes=1000)) as front:
        assert front.chat().status_code == 502


def test_a_waiting_client_gets_heartbeats_and_then_the_answer(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0.35, gap_s=0, output_tokens=2) as mock,
        gateway(tmp_path, mock.url, timeouts=Timeouts(heartbeat_s=0.1)) as front,
    ):
        text = front.chat(stream=True).text
        assert text.startswith(": waiting")
        assert len(events(text)) == 4
        assert text.index(": waiting") < text.rindex(": waiting") < text.index("data:")


def test_after_a_heartbeat_an_error_comes_as_an_event(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=5, output_tokens=2) as mock,
        gateway(tmp_path, mock.url, timeouts=Timeouts(heartbeat_s=0.05, first_token_s=0.3)) as front,
    ):
        response = front.chat(stream=True)
        assert response.status_code == 200
        assert events(response.text)[-1]["error"]["code"] == "upstream_timeout"
        assert front.usage()[0]["outcome"] == "upstream_timeout"


@pytest.mark.parametrize("stream", [True, False])
def test_time_outs_end_a_request(tmp_path: Path, stream: bool) -> None:
    timeouts = Timeouts(first_token_s=0.2, total_s=0.2)
    with MockServer(ttft_s=5, output_tokens=2) as mock, gateway(tmp_path, mock.url, timeouts=timeouts) as front:
        response = front.chat(stream=stream)
        assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")
        until(lambda: mock.truth().requests[0].outcome == "cancelled")


def test_a_stream_that_stalls_is_ended_with_an_error_event(tmp_path: Path) -> None:
    faults = {"stall_rate": 1.0, "stall_s": 30.0}
    with (
        MockServer(ttft_s=0, gap_s=0, output_tokens=6, faults=faults) as mock,
        gateway(tmp_path, mock.url, timeouts=Timeouts(between_tokens_s=0.2)) as front,
    ):
        said = events(front.chat(stream=True).text)
        assert said[-1]["error"]["code"] == "upstream_timeout"
        row = front.usage()[0]
        assert row["estimated"]
        assert 3 <= row["output_tokens"] <= 5


def test_a_stream_is_ended_by_the_total_limit_although_tokens_come(tmp_path: Path) -> None:
    timeouts = Timeouts(between_tokens_s=0.2, total_s=0.4)
    with (
        MockServer(ttft_s=0, gap_s=0.05, output_tokens=400) as mock,
        gateway(tmp_path, mock.url, timeouts=timeouts) as front,
    ):
        assert events(front.chat(stream=True).text)[-1]["error"]["code"] == "upstream_timeout"


def test_a_cut_stream_gets_an_error_event_and_no_done(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0, gap_s=0, output_tokens=6, faults={"drop_rate": 1.0}) as mock,
        gateway(tmp_path, mock.url) as front,
    ):
        text = front.chat(stream=True).text
        assert events(text)[-1]["error"]["code"] == "upstream_lost"
        assert "[DONE]" not in text
        with (
            openai.OpenAI(base_url=f"{front.root}/v1", api_key="none", max_retries=0) as client,
            pytest.raises(openai.APIError, match="before it was complete"),
        ):
            list(client.chat.completions.create(model="mock", messages=ASK["messages"], stream=True))  # type: ignore[call-overload]


def test_internal_errors_say_nothing_of_the_inside(front: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front.state.router, "resolve", lambda name: 1 / 0)
    response = front.chat()
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "division" not in response.text


def test_the_log_has_no_prompts_and_no_answers(front: Gateway, capfd: pytest.CaptureFixture[str]) -> None:
    front.chat(messages=[{"role": "user", "content": "my secret"}])
    front.usage()
    until(lambda: '"event":"request"' in capfd.readouterr().err)
    front.chat(messages=[{"role": "user", "content": "my secret"}])
    front.usage()
    log = capfd.readouterr().err
    assert "secret" not in log
    assert "tokens leave" not in log
