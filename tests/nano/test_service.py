"""What the service does when the engine itself breaks; the rest is tested over the wire in test_server."""

import asyncio
from typing import Any

import pytest

from helpers.errors import EngineFailed
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.connection import Connection
from helpers.nano.engine import Engine, load_engine
from helpers.nano.service import Service


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
        writer.close()
        return answer, crashed

    answer, crashed = asyncio.run(talk())
    assert b"the engine has ended: the model broke" in answer
    assert answer.startswith(b"HTTP/1.1 200" if stream else b"HTTP/1.1 500")
    assert isinstance(crashed, EngineFailed)
