"""What the server answers: paths to the engine, and what each step of the engine yields to the clients."""

import asyncio
import uuid
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import orjson

from helpers.errors import CourseError, UsageError
from helpers.models.tokenizer import Tokenizer
from helpers.nano.answer import Answer
from helpers.nano.ask import Ask, read_ask
from helpers.nano.connection import Connection
from helpers.nano.engine import Engine, Output
from helpers.nano.metrics import Metrics
from helpers.nano.request import SamplingOptions
from helpers.nano.stepping import EngineThread

COMPLETIONS = {"/v1/chat/completions": True, "/v1/completions": False}
"""Path -> whether it is a chat."""

MOST_STEPS = 1000
"""Steps that one answer of /trace holds; whoever wants more asks for what is since the last of them."""


class Service:
    """Answers requests with an engine that it steps alone.

    Args:
        engine: freshly made.
        tokenizer: of its model.
        model: the name that it is served under.
        context_length: tokens of one sequence at most; told by /v1/models.

    Attributes:
        crashed: gets the error when the engine cannot go on.
    """

    def __init__(self, engine: Engine, tokenizer: Tokenizer, model: str, context_length: int) -> None:
        loop = asyncio.get_running_loop()
        self.crashed: asyncio.Future[Exception] = loop.create_future()
        self._tokenizer = tokenizer
        self._model = model
        self._context_length = context_length
        self._vocabulary_size = engine.model.config.vocabulary_size
        self._metrics = Metrics(engine, model)
        self._answers: dict[str, Answer] = {}
        self._engine = EngineThread(engine, loop, self._deliver, self._crash)

    def end(self) -> None:
        """Stop the engine after the step under way."""
        self._engine.end()

    def handle(self, connection: Connection, method: str, path: str, query: str, body: bytes) -> None:
        """Answer a request; see `helpers.nano.connection.Handler`."""
        if path in COMPLETIONS and method == "POST":
            self._complete(connection, read_json(body), chat=COMPLETIONS[path])
        elif path == "/tokenize" and method == "POST":
            self._tell_tokens(connection, read_json(body))
        elif path == "/detokenize" and method == "POST":
            ids = read_json(body).get("tokens")
            if not isinstance(ids, list) or not all(isinstance(token, int) and 0 <= token < 2**32 for token in ids):
                raise UsageError("tokens must be a list of token ids")
            connection.reply({"content": self._tokenizer.decode(ids)})
        elif path in COMPLETIONS or path in ("/tokenize", "/detokenize"):
            connection.reply_error(405, f"{path} is asked with POST")
        elif path == "/health":
            connection.reply({"status": "ok"})
        elif path == "/v1/models":
            entry = {"id": self._model, "object": "model", "created": 0, "owned_by": "nano"}
            connection.reply({"object": "list", "data": [{**entry, "max_model_len": self._context_length}]})
        elif path == "/metrics":
            connection.reply_bytes(self._metrics.page(), b"text/plain; version=0.0.4; charset=utf-8")
        elif path == "/trace":
            self._tell_trace(connection, query)
        else:
            connection.reply_error(404, f"there is no {path}")

    def _complete(self, connection: Connection, body: dict[str, Any], *, chat: bool) -> None:
        model = body.get("model", self._model)
        if model != self._model:
            connection.reply_error(404, f"there is no model {model!r}; this server has {self._model}")
            return
        ask = read_ask(body, self._tokenizer, chat=chat, vocabulary_size=self._vocabulary_size)
        request_id = f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex}"
        answer = Answer(ask, request_id, self._model, self._tokenizer, connection)
        self._answers[request_id] = answer
        connection.on_left = partial(self._leave, answer)
        self._engine.order(partial(_add, ask=ask, request_id=request_id)).add_done_callback(
            partial(self._added, answer)
        )

    def _added(self, answer: Answer, added: "asyncio.Future[None]") -> None:
        error = added.exception()
        if isinstance(error, CourseError):
            if self._answers.pop(answer.request_id, None) is not None:
                answer.fail(400, " ".join(filter(None, (error.what, error.cause))))
        elif error is not None:
            raise error

    def _deliver(self, outputs: list[Output], tokens: int) -> None:
        self._metrics.note_step(tokens)
        for output in outputs:
            answer = self._answers.get(output.request.request_id)
            if answer is None:
                continue  # the client has left meanwhile
            if output.finish_reason == "error":
                error = output.request.error
                answer.fail(500, error.what if error is not None else "the engine failed")
            else:
                answer.take(output)
            if answer.ended:
                del self._answers[answer.request_id]
                self._metrics.note_end(answer, output.finish_reason or "stop")
                if output.finish_reason is None:
                    # A stop string, of which the engine knows nothing.
                    self._cancel(answer)

    def _leave(self, answer: Answer) -> None:
        if self._answers.pop(answer.request_id, None) is not None:
            self._metrics.note_end(answer, "abort")
            self._cancel(answer)

    def _cancel(self, answer: Answer) -> None:
        self._engine.order(lambda engine: engine.cancel(answer.request_id))

    def _crash(self, error: Exception) -> None:
        for answer in self._answers.values():
            answer.fail(500, f"the engine has ended: {error}")
        self._answers.clear()
        if not self.crashed.done():
            self.crashed.set_result(error)

    def _tell_tokens(self, connection: Connection, body: dict[str, Any]) -> None:
        # llama.cpp's name is content, vLLM's is prompt.
        text = body.get("content", body.get("prompt"))
        if not isinstance(text, str):
            raise UsageError("content must be a text")
        ids = self._tokenizer.encode(text)
        connection.reply({"tokens": ids, "count": len(ids), "max_model_len": self._context_length})

    def _tell_trace(self, connection: Connection, query: str) -> None:
        since = parse_qs(query).get("since", ["0"])[-1]
        if not since.isdecimal():
            raise UsageError(f"since must be a step's number, not {since!r}")

        def tell(told: "asyncio.Future[dict[str, Any]]") -> None:
            connection.reply(told.result())

        self._engine.order(partial(_read_trace, since=int(since))).add_done_callback(tell)


def read_json(body: bytes) -> dict[str, Any]:
    """A request's body.

    Raises:
        UsageError: it is no JSON object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError("the body is no JSON object")
    return value


def _add(engine: Engine, *, ask: Ask, request_id: str) -> None:
    sampling = SamplingOptions(
        temperature=ask.temperature, top_p=ask.top_p, top_k=ask.top_k, seed=ask.seed, logprobs=ask.logprobs
    )
    engine.add_request(
        ask.ids, max_tokens=ask.max_tokens, sampling=sampling, ignore_eos=ask.ignore_eos, request_id=request_id
    )


def _read_trace(engine: Engine, *, since: int) -> dict[str, Any]:
    assert engine.trace is not None
    return {"steps": engine.trace.since(since)[:MOST_STEPS], "total_steps": engine.counters.steps}
