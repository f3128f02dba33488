"""The official Ollama client against engines that know nothing of Ollama, and against a real one's protocol."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import pytest

from helpers.client.mock import MockServer
from tests.api.gateways import Gateway, gateway
from tests.api.upstreams import DONE, Reply, Sent, Upstream, chunk, completion, upstream, usage

MESSAGES = [{"role": "user", "content": "hi"}]


async def engine(sent: Sent, reply: Reply) -> None:
    """An engine without Ollama's API."""
    fields = sent.fields
    if sent.path == "/v1/embeddings":
        texts = fields["input"] if isinstance(fields["input"], list) else [fields["input"]]
        vectors = [{"embedding": [float(len(text)), 1.0], "index": n} for n, text in enumerate(texts)]
        await reply.whole({"data": vectors, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    elif sent.path == "/v1/completions":
        await reply.whole({"choices": [{"text": "raw", "finish_reason": "length"}], "usage": {"prompt_tokens": 1}})
    elif fields.get("tools"):
        call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
        parts: list[dict[str, Any]] = [
            {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a"'}},
            {"index": 0, "function": {"arguments": ": 1}"}},
        ]
        if fields.get("stream"):
            pieces = [chunk(tool_calls=[part]) for part in parts]
            await reply.stream(*pieces, chunk(finish="tool_calls"), usage(5, 3), DONE)
        else:
            await reply.whole(completion("", tool_calls=[call]))
    elif fields.get("stream"):
        last = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}, "timings": '
        last += b'{"prompt_ms": 12.5, "predicted_ms": 40.0}}\n\n'
        thinking = chunk(reasoning_content="hm")
        await reply.stream(
            chunk("", role="assistant"), thinking, chunk("Hel"), chunk("lo"), chunk(finish="length"), last, DONE
        )
    else:
        await reply.whole(completion("Hello", 5, 2, reasoning_content="hm"))


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with upstream(engine) as running:
        yield running


@pytest.fixture(scope="module")
def front(behind: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("ollama"), behind.url) as running:
        yield running


@pytest.fixture(scope="module")
def client(front: Gateway) -> Iterator[ollama.Client]:
    with official(front) as client:
        yield client


def official(front: Gateway) -> ollama.Client:
    return ollama.Client(front.root, verify=False, trust_env=False)


def test_chat_streams_words_thoughts_and_nanoseconds(client: ollama.Client, behind: Upstream) -> None:
    parts = list(
        client.chat("mock", MESSAGES, stream=True, options={"temperature": 0, "num_predict": 9, "num_ctx": 64})
    )
    assert "".join(part.message.content or "" for part in parts) == "Hello"
    assert "".join(part.message.thinking or "" for part in parts) == "hm"
    last = parts[-1]
    assert (last.done, last.done_reason) == (True, "length")
    assert (last.prompt_eval_count, last.eval_count) == (5, 2)
    assert (last.prompt_eval_duration, last.eval_duration) == (12_500_000, 40_000_000)
    assert last.total_duration is not None
    assert last.total_duration > 0
    sent = behind.sent[-1].fields
    assert (sent["temperature"], sent["max_tokens"], sent["stream"]) == (0, 9, True)
    assert "num_ctx" not in sent


def test_chat_in_one_piece(client: ollama.Client) -> None:
    answer = client.chat("mock:latest", MESSAGES)
    assert (answer.message.content, answer.message.thinking, answer.done) == ("Hello", "hm", True)
    assert (answer.prompt_eval_count, answer.eval_count) == (5, 2)


@pytest.mark.parametrize("stream", [True, False])
def test_tool_calls_have_objects_as_arguments(client: ollama.Client, stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    answer: Any = client.chat("mock", MESSAGES, tools=tools, stream=stream)
    last = list(answer)[-1] if stream else answer
    [call] = last.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("add", {"a": 1})


def test_a_conversation_with_tools_and_images_is_translated(client: ollama.Client, behind: Upstream) -> None:
    calls = [{"function": {"name": "add", "arguments": {"a": 1}}}]
    client.chat(
        "mock",
        [
            {"role": "user", "content": "look", "images": [b"QUJD" * 4]},
            {"role": "assistant", "content": "", "tool_calls": calls},
            {"role": "tool", "content": "2", "tool_name": "add"},
        ],
        format={"type": "object"},
        think=False,
        options={"stop": ["x"], "repeat_penalty": 1.1, "seed": 3},
    )
    sent = behind.sent[-1].fields
    image, called, result = sent["messages"]
    assert image["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert result["tool_call_id"] == called["tool_calls"][0]["id"]
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert (sent["stop"], sent["seed"], sent["repeat_penalty"]) == (["x"], 3, 1.1)


def test_generate(client: ollama.Client, behind: Upstream) -> None:
    assert client.generate("mock", "hi", system="be brief").response == "Hello"
    assert behind.sent[-1].fields["messages"][0] == {"role": "system", "content": "be brief"}
    assert "".join(part.response or "" for part in client.generate("mock", "hi", stream=True)) == "Hello"
    raw = client.generate("mock", "hi", raw=True)
    assert (raw.response, raw.done_reason) == ("raw", "length")
    before = len(behind.sent)
    assert client.generate("mock", "").done_reason == "load"
    assert client.generate("mock", "", keep_alive=0).done_reason == "unload"
    assert len(behind.sent) == before


def test_embeddings(client: ollama.Client) -> None:
    assert client.embed("mock", ["a", "bcd"]).embeddings == [[1.0, 1.0], [3.0, 1.0]]
    assert client.embed("mock", "a").prompt_eval_count == 4
    assert client.embeddings("mock", "ab").embedding == [2.0, 1.0]


def test_models_are_listed_and_described(client: ollama.Client, front: Gateway) -> None:
    assert [model.model for model in client.list().models] == ["mock"]
    assert [model.name for model in client.ps().models] == ["mock"]
    assert client.show("mock").capabilities == ["completion"]
    assert front.get("/api/version").json()["version"].count(".") == 2
    with pytest.raises(ollama.ResponseError) as missing:
        client.show("none")
    assert missing.value.status_code == 404


def test_models_cannot_be_changed_where_no_ollama_is_and_the_reason_is_given(client: ollama.Client) -> None:
    assert client.pull("mock").status == "success"
    assert [part.status for part in client.pull("mock", stream=True)][-1] == "success"
    for change in (
        lambda: client.pull("llama3"),
        lambda: client.push("mock"),
        lambda: client.create("x", from_="mock"),
        lambda: client.copy("mock", "x"),
        lambda: client.delete("mock"),
    ):
        with pytest.raises(ollama.ResponseError, match="no Ollama is behind") as refused:
            change()
        assert refused.value.status_code == 501


def test_errors_come_in_ollama_s_form(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="no model"):
        client.chat("none", MESSAGES)
    with pytest.raises(ollama.ResponseError, match="num_predict"):
        client.chat("mock", MESSAGES, options={"num_predict": "many"})


def test_a_stream_that_is_cut_ends_with_an_error(tmp_path: Path) -> None:
    with (
        MockServer(ttft_s=0, gap_s=0, output_tokens=6, faults={"drop_rate": 1.0}) as mock,
        gateway(tmp_path, mock.url) as front,
        official(front) as client,
        pytest.raises(ollama.ResponseError, match="before it was complete"),
    ):
        list(client.chat("mock", MESSAGES, stream=True))


async def real_ollama(sent: Sent, reply: Reply) -> None:
    """What an Ollama says, as far as a gateway cares."""
    if sent.path == "/api/version":
        await reply.whole({"version": "0.12.0"})
    elif sent.path in ("/api/tags", "/api/ps"):
        await reply.whole({"models": [{"name": "llama3:8b", "model": "llama3:8b", "size": 42, "digest": "d"}]})
    elif sent.path == "/api/pull":
        await reply.stream(b'{"status":"pulling"}\n', b'{"status":"success"}\n', kind="application/x-ndjson")
    elif sent.path == "/api/delete":
        await reply.whole(b"", kind="text/plain")
    elif sent.fields.get("stream", True):
        words = [b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n']
        last = b'{"message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":6,"eval_count":4}\n'
        cut = len(last) // 2
        await reply.stream(*words, last[:cut], last[cut:], kind="application/x-ndjson")
    else:
        await reply.whole({"message": {"role": "assistant", "content": "Hi"}, "done": True, "eval_count": 3})


def test_a_real_ollama_is_passed_through(tmp_path: Path) -> None:
    with (
        upstream(real_ollama, "llama3:8b", "ollama") as behind,
        gateway(tmp_path, behind.url) as front,
        official(front) as client,
    ):
        parts = list(client.chat("llama3:8b", MESSAGES, stream=True, options={"num_ctx": 64}))
        assert ["".join(part.message.content or "" for part in parts), parts[-1].eval_count] == ["Hi", 4]
        assert behind.sent[-1].path == "/api/chat"
        assert behind.sent[-1].fields["options"] == {"num_ctx": 64}
        assert client.chat("llama3:8b", MESSAGES).eval_count == 3
        assert [(row["output_tokens"], row["estimated"]) for row in front.usage()] == [(4, False), (3, False)]
        assert {model.model: model.size for model in client.list().models}["llama3:8b"] == 42
        assert [part.status for part in client.pull("new", stream=True)] == ["pulling", "success"]
        assert client.delete("llama3:8b").status == "success"
        assert [sent.method for sent in behind.sent[-2:]] == ["POST", "DELETE"]


def test_only_keys_with_that_right_change_models(tmp_path: Path) -> None:
    with (
        upstream(real_ollama, "llama3:8b", "ollama") as behind,
        gateway(tmp_path, behind.url, keys_required=True) as front,
    ):
        database = front.state.ledger.database
        texts = {name: database.add_key(name, may_change_models=name == "boss") for name in ("boss", "user")}
        front.state.keyring.replace(database.valid_keys())
        codes = {
            name: front.post("/api/pull", {"model": "x"}, authorization=f"Bearer {text}").status_code
            for name, text in texts.items()
        }
        assert codes == {"boss": 200, "user": 403}
