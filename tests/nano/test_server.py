"""nano's server in a process of its own, asked by the official client, by raw sockets, and by clients that leave."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import helpers
from helpers.client.plain import PlainAnswer, ask
from helpers.client.wire import Endpoint
from helpers.engines.nano import read_trace
from helpers.engines.server import Server
from helpers.errors import EngineFailed, UsageError
from helpers.models.tokenizer import load_tokenizer
from tests.engines.conftest import until

QUESTION = "What is a KV cache?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    blocks = {"num_blocks": 128, "block_size": 8}
    with helpers.launch("nano", max_num_seqs=2, max_model_len=512, extra=blocks) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client


def post(server: Server, path: str, payload: Any) -> PlainAnswer:
    return ask(Endpoint.parse(server.url), "POST", path, payload)


def is_idle(server: Server) -> bool:
    values = server.metrics()
    return values["requests_running"] == values["requests_waiting"] == values["kv_cache_usage"] == 0


def has_ended(server: Server) -> bool:
    try:
        server.require_running()
    except EngineFailed:
        return True
    return False


def raw_request(path: str, body: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(data), data)


def connect(server: Server) -> socket.socket:
    endpoint = Endpoint.parse(server.url)
    return socket.create_connection((endpoint.host, endpoint.port), timeout=30)


def test_the_official_client_lists_the_model(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert (model.id, model.owned_by) == ("course", "nano")


def test_a_stream_has_the_words_of_the_whole_answer(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "course", "messages": MESSAGES, "max_tokens": 20, "temperature": 0}
    whole = client.chat.completions.create(**options)
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content != ""
    assert chunks[0].choices[0].delta.role == whole.choices[0].message.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    usage = chunks[-1].usage
    assert usage is not None
    assert whole.usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens == 20
    assert usage.prompt_tokens == whole.usage.prompt_tokens
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 16  # the first block of the same prompt before


def test_the_end_token_ends_an_answer_unless_it_is_ignored(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "course", "messages": MESSAGES, "max_tokens": 80, "temperature": 0}
    ended = client.chat.completions.create(**options)
    assert ended.choices[0].finish_reason == "stop"
    assert "<|im_end|>" not in (ended.choices[0].message.content or "")
    going_on = client.chat.completions.create(**options, extra_body={"ignore_eos": True})
    assert going_on.choices[0].finish_reason == "length"
    assert going_on.usage is not None
    assert going_on.usage.completion_tokens == 80


def test_completions_continue_text_and_tokens_alike(client: openai.OpenAI) -> None:
    prompt = load_tokenizer("course").render_chat(MESSAGES)
    options: dict[str, Any] = {"model": "course", "max_tokens": 8, "temperature": 0}
    by_text = client.completions.create(prompt=prompt, **options)
    by_ids = client.completions.create(prompt=load_tokenizer("course").encode(prompt), **options)
    chat = client.chat.completions.create(messages=MESSAGES, **options)
    assert by_text.choices[0].text == by_ids.choices[0].text == chat.choices[0].message.content
    streamed = client.completions.create(prompt=prompt, stream=True, **options)
    assert "".join(chunk.choices[0].text for chunk in streamed) == by_text.choices[0].text


def test_a_stop_string_ends_the_answer_and_frees_its_blocks(client: openai.OpenAI, server: Server) -> None:
    options: dict[str, Any] = {"model": "course", "messages": MESSAGES, "max_tokens": 60, "temperature": 0}
    text = client.chat.completions.create(**options).choices[0].message.content or ""
    stop = text[6:12]
    for stream in (False, True):
        answer = client.chat.completions.create(stop=["never", stop], stream=stream, **options)
        if stream:
            choices = [chunk.choices[0] for chunk in answer]
            cut, reason = "".join(choice.delta.content or "" for choice in choices), choices[-1].finish_reason
        else:
            cut, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
        assert (cut, reason) == (text[: text.index(stop)], "stop")
    assert until(lambda: is_idle(server), 5)


def test_a_seed_repeats_an_answer(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "Tell me a short story."}]
    options: dict[str, Any] = {"model": "course", "messages": messages, "max_tokens": 24, "temperature": 1.5}
    texts = [
        client.chat.completions.create(seed=seed, **options).choices[0].message.content for seed in (1, 1, 2, 3, 4)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 2


def test_logprobs_are_those_of_the_words(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "course", "max_tokens": 5, "temperature": 0}
    choice = client.chat.completions.create(messages=MESSAGES, logprobs=True, top_logprobs=2, **options).choices[0]
    assert choice.logprobs is not None
    content = choice.logprobs.content or []
    assert "".join(entry.token for entry in content) == choice.message.content
    for entry in content:
        assert entry.logprob == entry.top_logprobs[0].logprob >= entry.top_logprobs[1].logprob
    text = client.completions.create(prompt=QUESTION, logprobs=2, **options).choices[0]
    assert text.logprobs is not None
    assert "".join(text.logprobs.tokens or []) == text.text
    assert all(len(tops) == 2 for tops in text.logprobs.top_logprobs or [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 2}, "n=2 is not supported"),
        ({"max_tokens": 0}, "max_tokens cannot be 0"),
        ({"max_tokens": 600}, r"\d+ prompt tokens and max_tokens=600 exceed the context of 512"),
        ({"messages": [{"role": "user", "content": "too long " * 600}]}, "exceed the context of 512"),
        ({"messages": []}, "messages"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_harms_nobody(
    client: openai.OpenAI, server: Server, change: dict[str, Any], message: str
) -> None:
    options = {"model": "course", "messages": MESSAGES, "max_tokens": 3, **change}
    with pytest.raises(openai.BadRequestError, match=message):
        client.chat.completions.create(**options)
    with pytest.raises(openai.BadRequestError, match=message):
        client.chat.completions.create(stream=True, **options)
    assert server.chat(QUESTION, max_tokens=2).usage.output_tokens == 2


def test_another_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt'; this server has course"):
        client.chat.completions.create(model="gpt", messages=MESSAGES)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (raw_request("/v1/chat/completions", b"{"), b"400"),
        (raw_request("/v1/chat/completions", b"[]"), b"400"),
        (raw_request("/nowhere", {}), b"404"),
        (b"GET /v1/completions HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /trace?since=x HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + b" " * 9_000_000, b"413"),
    ],
)
def test_bad_requests_get_their_status(server: Server, request_bytes: bytes, status: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(request_bytes)
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b'"error"' in head


def test_requests_on_one_connection_are_answered_in_turn(server: Server) -> None:
    body = {"prompt": QUESTION, "max_tokens": 2, "temperature": 0}
    with connect(server) as connection:
        connection.sendall(raw_request("/v1/completions", body) + raw_request("/tokenize", {"content": "Hi"}))
        received = b""
        while received.count(b"HTTP/1.1 200") < 2 or b'"tokens"' not in received:
            received += connection.recv(65536)
    assert received.index(b"text_completion") < received.index(b'"tokens"')


def test_text_to_tokens_and_back(server: Server) -> None:
    tokens = post(server, "/tokenize", {"content": QUESTION}).value["tokens"]
    assert tokens == load_tokenizer("course").encode(QUESTION)
    assert post(server, "/tokenize", {"prompt": QUESTION}).value["tokens"] == tokens
    assert post(server, "/detokenize", {"tokens": tokens}).value["content"] == QUESTION
    assert post(server, "/detokenize", {"tokens": ["x"]}).status == post(server, "/tokenize", {}).status == 400


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_gives_its_blocks_back_and_harms_nobody(server: Server, stream: bool) -> None:
    alone = server.chat(QUESTION, max_tokens=60, temperature=0, ignore_eos=True).text
    beside: list[str] = []
    other = threading.Thread(
        target=lambda: beside.append(server.chat(QUESTION, max_tokens=60, temperature=0, ignore_eos=True).text)
    )
    body = {"prompt": "Count: 1, 2,", "max_tokens": 480, "ignore_eos": True, "stream": stream}
    before = read_trace(server)[-1]["number"]
    with connect(server) as connection:
        connection.sendall(raw_request("/v1/completions", body))
        if stream:
            connection.recv(100)
        else:
            assert until(lambda: server.metrics()["requests_running"] > 0, 10)
        other.start()
    other.join(60)
    assert beside == [alone]
    assert until(lambda: is_idle(server), 5)
    ran = [work for step in read_trace(server, before) for work in step["work"]]
    assert max(work["start"] for work in ran) < 400  # it did not run to its end


def test_a_client_that_leaves_while_it_waits_never_runs(server: Server) -> None:
    long = {"prompt": "Count: 1, 2,", "max_tokens": 300, "ignore_eos": True, "stream": True}
    with connect(server) as one, connect(server) as two:
        for connection in (one, two):
            connection.sendall(raw_request("/v1/completions", long))
            connection.recv(100)
        with connect(server) as three:
            three.sendall(raw_request("/v1/completions", {**long, "prompt": "Never"}))
            assert until(lambda: server.metrics()["requests_waiting"] == 1, 10)
        assert until(lambda: server.metrics()["requests_waiting"] == 0, 10)
    assert until(lambda: is_idle(server), 5)


def test_metrics_have_vllms_names_and_map_to_the_common_ones(server: Server) -> None:
    before = server.metrics()
    server.chat(QUESTION, max_tokens=9, temperature=0, ignore_eos=True)
    values = server.metrics()
    assert values["output_tokens_total"] - before["output_tokens_total"] == 9
    assert values["cached_tokens_total"] - before["cached_tokens_total"] == 16
    assert values["decode_steps_total"] - before["decode_steps_total"] == 9
    assert values["decode_seconds_total"] > before["decode_seconds_total"]
    page = ask(Endpoint.parse(server.url), "GET", "/metrics").body.decode()
    for name in (
        "num_requests_running",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "prompt_tokens_total",
        "generation_tokens_total",
        "prefix_cache_queries_total",
        "prefix_cache_hits_total",
        "num_preemptions_total",
        "spec_decode_num_draft_tokens_total",
        "spec_decode_num_accepted_tokens_total",
        "time_to_first_token_seconds_bucket",
        "time_per_output_token_seconds_bucket",
        "e2e_request_latency_seconds_bucket",
    ):
        assert f"nano:{name}{{" in page
    assert 'finished_reason="abort"' in page


def test_the_trace_tells_each_step_once(server: Server) -> None:
    server.chat(QUESTION, max_tokens=4, temperature=0)
    steps = read_trace(server)
    newest = steps[-1]["number"]
    assert [step["number"] for step in steps] == list(range(steps[0]["number"], newest + 1))
    assert read_trace(server, newest) == []
    assert [step["number"] for step in read_trace(server, newest - 2)] == [newest - 1, newest]
    assert sum(work["generated"] for step in steps[-4:] for work in step["work"]) == 4


def test_an_engine_without_a_trace_is_told() -> None:
    with helpers.MockServer() as mock, pytest.raises(UsageError, match="has no trace"):
        read_trace(helpers.attach(mock.url))


def test_attached_it_is_known_by_its_name(server: Server) -> None:
    attached = helpers.attach(server.url)
    assert (attached.engine, attached.model) == ("nano", "course")
    assert attached.metrics()["output_tokens_total"] > 0


def test_a_killed_server_is_told_in_the_middle_of_a_stream() -> None:
    with helpers.launch("nano", max_num_seqs=1) as server:
        assert server.pid is not None
        stream = server.stream(QUESTION, max_tokens=4000, ignore_eos=True)
        next(stream)
        os.kill(server.pid, signal.SIGKILL)
        assert until(lambda: has_ended(server), 30)
        with pytest.raises(EngineFailed, match="nano ended by SIGKILL"):
            list(stream)
