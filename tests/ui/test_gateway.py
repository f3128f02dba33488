import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Send

from helpers.ui.gateway import Gateway, GatewayError
from tests.ui.applications import Application, Asked, start, write


def test_a_question_carries_the_key_and_its_json_comes_back() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, b'{"said": ', b'"yes"}')

    application = Application(answer)
    found = asyncio.run(Gateway(application, "ck-key").ask("POST", "/api/show", {"model": "m"}))
    assert found == {"said": "yes"}
    (asked,) = application.asked
    assert (asked.method, asked.path, asked.fields) == ("POST", "/api/show", {"model": "m"})
    assert asked.headers["authorization"] == "Bearer ck-key"


def test_a_refusal_is_an_error_with_its_words() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send, 404)
        await write(send, b'{"error": {"message": "There is no model x here."}}')

    with pytest.raises(GatewayError, match="There is no model x here") as refused:
        asyncio.run(Gateway(Application(answer), "").ask("GET", "/v1/models"))
    assert refused.value.status == 404


def test_leaving_a_stream_is_noticed() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, b"piece", end=False)
        await asyncio.sleep(60)

    async def leave() -> bool:
        application = Application(answer)
        async with Gateway(application, "").send("POST", "/v1/chat/completions", b"{}") as answered:
            async for piece in answered:
                assert piece == b"piece"
                break
        return application.left.is_set()

    assert asyncio.run(leave())


def test_lines_come_whole_however_they_were_cut() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send)
        await write(send, b'{"a": 1}\n{"b', b'": 2}\n{"c": 3}')

    async def read() -> list[dict[str, int]]:
        async with Gateway(Application(answer), "").send("POST", "/api/pull") as answered:
            return [line async for line in answered.lines()]

    assert asyncio.run(read()) == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_a_body_may_be_handed_over_in_pieces() -> None:
    async def answer(asked: Asked, send: Send, receive: Receive) -> None:
        await start(send, 201)
        await write(send)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def upload() -> Asked:
        application = Application(answer)
        async with Gateway(application, "").send("POST", "/api/blobs/x", pieces(), 7) as answered:
            await answered.read()
        return application.asked[0]

    asked = asyncio.run(upload())
    assert (asked.body, asked.headers["content-length"]) == (b"one two", "7")


def test_an_application_that_breaks_is_an_error() -> None:
    async def application(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("broken")

    with pytest.raises(GatewayError, match="its log says why"):
        asyncio.run(Gateway(application, "").ask("GET", "/"))
