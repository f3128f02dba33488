import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from starlette.types import Receive, Send

from helpers.ui.hub import Hub, request_body
from helpers.ui.records import Conversation, Message
from helpers.ui.store import Store
from tests.api.upstreams import DONE, chunk, usage
from tests.ui.applications import Answering, Application, Asked, start, write


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'ui.sqlite'}")
    yield opened
    opened.close()


async def ended(hub: Hub) -> None:
    while hub.live:
        await asyncio.sleep(0.01)


def ask(store: Store, answer: Answering, *models: str) -> tuple[list[Message], Application]:
    """One question to the models; the messages kept of it, and what was asked."""

    async def run() -> tuple[list[Message], Application]:
        application = Application(answer)
        hub = Hub(application, store)
        conversation = store.add_conversation(Conversation("", "", "T", models or ("m",), "", {"seed": 1}))
        store.add_messages([Message(0, conversation.id, "user", "Question")])
        before = hub.version[conversation.id]
        await hub.ask(conversation, "ck-key", {"timings_per_token": True})
        assert len(hub.writing(conversation)) == len(conversation.models)
        await asyncio.wait_for(ended(hub), 20)
        assert hub.version[conversation.id] > before
        return store.list_messages(conversation), application

    return asyncio.run(run())


async def good(asked: Asked, send: Send, receive: Receive) -> None:
    await start(send, kind=b"text/event-stream")
    pieces = (chunk(None, reasoning_content="Hm."), chunk("An "), chunk("answer"), chunk(finish="stop"), usage(9, 3))
    await write(send, *pieces, DONE)


def test_an_answer_is_kept_with_thoughts_and_figures(store: Store) -> None:
    (_, answer), application = ask(store, good)
    assert (answer.text, answer.thinking, answer.state, answer.model) == ("An answer", "Hm.", "done", "m")
    assert (answer.figures["prompt_tokens"], answer.figures["output_tokens"]) == (9, 3)
    asked = application.asked[0]
    assert asked.headers["authorization"] == "Bearer ck-key"
    assert asked.fields["seed"] == 1
    assert asked.fields["timings_per_token"]
    assert asked.fields["messages"] == [{"role": "user", "content": "Question"}]


def test_two_models_answer_in_two_lanes(store: Store) -> None:
    messages, application = ask(store, good, "a", "b")
    assert [(message.lane, message.model) for message in messages[1:]] == [(0, "a"), (1, "b")]
    assert {asked.fields["model"] for asked in application.asked} == {"a", "b"}


def test_a_refusal_and_a_cut_stream_are_explained_and_words_are_kept(store: Store) -> None:
    async def refuse(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send, 503)
        await write(send, b'{"error": {"message": "The engine is not available."}}')

    async def cut(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send, kind=b"text/event-stream")
        await write(send, chunk("Half"), b'data: {"error": {"message": "The engine ended the answer."}}\n\n')

    (_, refused), _ = ask(store, refuse)
    assert (refused.state, refused.text) == ("failed", "")
    assert refused.error == (
        "The engine is not available. Check that the engine runs (./course engines), then try again."
    )
    (_, half), _ = ask(store, cut)
    assert (half.state, half.text) == ("failed", "Half")
    assert "The engine ended the answer." in half.error


def test_a_gateway_that_breaks_is_no_silence(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def nonsense(asked: Asked, send: Send, receive: Receive) -> None:
        await send({"type": "http.response.start"})

    (_, answer), _ = ask(store, nonsense)
    assert answer.state == "failed"
    assert "its log says why" in answer.error


def test_stopping_keeps_the_words_and_ends_the_request(store: Store) -> None:
    async def slow(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send, kind=b"text/event-stream")
        await write(send, chunk("So far"), end=False)
        await asyncio.sleep(60)

    async def run() -> Message:
        application = Application(slow)
        hub = Hub(application, store)
        conversation = store.add_conversation(Conversation("", "", "T", ("m",)))
        await hub.ask(conversation, "", {})
        (live,) = hub.writing(conversation)
        while not live.text:
            await asyncio.sleep(0.01)
        await hub.stop(conversation)
        assert application.left.is_set()
        assert not hub.live
        return store.list_messages(conversation)[0]

    message = asyncio.run(run())
    assert (message.text, message.state, message.error) == ("So far", "stopped", "")


def test_an_answer_that_nobody_writes_any_more_was_interrupted(store: Store) -> None:
    hub = Hub(Application(good), store)
    settled = hub.settled(Message(7, "c", "assistant", "Half", state="writing"))
    assert settled.state == "failed"
    assert "Try again" in settled.error


def test_a_database_that_fails_ends_the_answer_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(store, "change_message", fail)
    (_, answer), _ = ask(store, good)
    assert answer.state == "writing"
    assert "could not be kept" in Hub(Application(good), store).settled(answer).error


def test_a_lane_is_told_its_own_answers_only_and_no_empty_ones() -> None:
    conversation = Conversation("c", "", "T", ("a", "b"), "Be short.", {"temperature": 0.0})
    history = [
        Message(1, "c", "user", "One"),
        Message(2, "c", "assistant", "From a", 0, model="a"),
        Message(3, "c", "assistant", "From b", 1, model="b"),
        Message(4, "c", "user", "Two"),
        Message(5, "c", "assistant", "", 1, model="b", state="failed"),
    ]
    body = request_body(conversation, history, Message(6, "c", "assistant", "", 1, model="b"))
    assert [message["content"] for message in body["messages"]] == ["Be short.", "One", "From b", "Two"]
    assert (body["model"], body["temperature"]) == ("b", 0.0)


def test_an_answer_stopped_before_it_began_is_over(store: Store) -> None:
    async def run() -> Message:
        hub = Hub(Application(good), store)
        conversation = store.add_conversation(Conversation("", "", "T", ("m",)))
        await hub.ask(conversation, "", {})
        await hub.stop(conversation)
        await asyncio.wait_for(ended(hub), 20)
        return hub.settled(store.list_messages(conversation)[-1])

    assert asyncio.run(run()).state in ("stopped", "failed")
