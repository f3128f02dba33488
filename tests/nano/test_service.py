"""What can only be seen from inside the server's process; the rest is tested over the wire in test_server."""

import asyncio
import contextlib
import time
from typing import Any

import pytest

from helpers.errors import EngineFailed
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.answer import Answer
from helpers.nano.connection import Connection
from helpers.nano.engine import Engine, load_engine
from helpers.nano.service import Service


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class Broken:
    """A model that fails in its second step."""

    def __init__(self, engine: Engine) -> None:
        self._model = engine.model
        self.config = engine.model.config
        self.steps = 0

    def forward(self, *arguments: Any) -> Any:
        self.steps += 1
        if self.steps > 1:
            raise EngineFailed("the model broke", "a test")
        return self._model.forward(*arguments)


@pytest.mark.parametrize("stream", [True, False])
def test_when_the_engine_breaks_every_client_and_the_server_are_told(stream: bool) -> None:
    engine = load_engine("course", max_model_len=256, max_num_seqs=1)
    engine.model = Broken(engine)

    async def talk() -> tuple[bytes, Exception]:
        service = Service(engine, load_tokenizer("course"), "course", 256)
        server = await asyncio.get_running_loop().create_server(lambda: Connection(service), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        body = b'{"prompt": "Hi", "max_tokens": 9, "ignore_eos": true, "stream": %s}' % str(stream).lower().encode()
        writer.write(b"POST /v1/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = await asyncio.wait_for(reader.read(), 30)
        crashed = await asyncio.wait_for(service.crashed, 30)
        service.end()
        server.close()
        await close(writer)
        return answer, crashed

    answer, crashed = asyncio.run(talk())
    assert b"the engine has ended: the model broke" in answer
    assert answer.startswith(b"HTTP/1.1 200" if stream else b"HTTP/1.1 500")
    assert isinstance(crashed, EngineFailed)


class Watched(Service):
    """Notes when it learns that a client has left."""

    left_s = 0.0

    def _leave(self, answer: Answer) -> None:
        self.left_s = time.perf_counter()
        super()._leave(answer)


def test_blocks_are_back_within_one_step_of_the_clients_leaving() -> None:
    engine = load_engine("course", max_model_len=512, max_num_seqs=2)

    async def talk() -> float:
        service = Watched(engine, load_tokenizer("course"), "course", 512)
        server = await asyncio.get_running_loop().create_server(lambda: Connection(service), "127.0.0.1", 0)
        body = b'{"prompt": "Hi", "max_tokens": 60, "ignore_eos": true, "stream": true}'
        request = b"POST /v1/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        clients = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(2)]
        for _, writer in clients:
            writer.write(request)
        for reader, _ in clients:
            await asyncio.wait_for(reader.readuntil(b"data:"), 30)
        await close(clients[0][1])
        # The other one goes on to its end.
        await asyncio.wait_for(clients[1][0].readuntil(b"[DONE]"), 200)
        service.end()
        server.close()
        await close(clients[1][1])
        return service.left_s

    left_s = asyncio.run(talk())
    assert engine.trace is not None
    steps = [step for step in engine.trace.records if step.started_s > left_s]
    assert len(steps) > 2
    assert all(len(step.work) == 1 for step in steps[1:])
    assert engine.counters.cancelled == 1
    assert engine.scheduler.blocks.used_blocks == 0
