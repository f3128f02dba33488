"""Chat with any OpenAI-compatible server: plain, streaming, asynchronous. For single questions, not for load.

    client = Client("http://127.0.0.1:8000/v1")
    print(client.chat("What is a KV cache?"))
    for words in client.stream("Count to ten."): ...
    reply = await client.achat("...", max_tokens=64)

Every answer is streamed underneath, so that its record has time stamps (seconds since the call). Each request opens
its own connection: connecting is no part of its times, and nothing is left to close. Many requests at once, measured:
`helpers.client.load`.
"""

import itertools
from collections.abc import AsyncGenerator, Sequence
from time import perf_counter
from typing import Any

import orjson

from helpers.client import background
from helpers.client.answers import Answer, error_message, quote, read_events
from helpers.client.records import RequestRecord
from helpers.client.reply import Reply, Stream, request_failed
from helpers.client.wire import Endpoint
from helpers.errors import EngineFailed, UsageError

OPTIONS = (
    "cache_prompt",
    "chat_template_kwargs",
    "frequency_penalty",
    "grammar",
    "ignore_eos",
    "logit_bias",
    "max_tokens",
    "min_p",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "top_k",
    "top_p",
    "user",
)
"""What a request may say; anything else an engine knows goes into `extra_body`."""

CONNECT_LIMIT_S = 10.0

Messages = str | Sequence[dict[str, Any]]
"""A user's words, or OpenAI's list of {role, content}."""

_numbers = itertools.count(1)


class Client:
    """A client of one server.

    Args:
        url: with or without /v1.
        model: the model to ask for; None: the first that the server lists.
        api_key: bearer token; None for none.
        timeout_s: bound on one whole request.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self, url: str, model: str | None = None, api_key: str | None = None, *, timeout_s: float = 300.0
    ) -> None:
        self.endpoint = Endpoint.parse(url)
        scheme = "https" if self.endpoint.tls else "http"
        self.url = f"{scheme}://{self.endpoint.authority}{self.endpoint.base}"
        self.model = model
        self.timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def chat(self, prompt: Messages, **options: Any) -> Reply:
        """Ask and wait for the whole answer.

        Args:
            prompt: the user's words, or a list of messages.
            **options: see `OPTIONS`; `system` puts a system message first, `extra_body` adds an engine's own fields.

        Raises:
            UsageError: an unknown option, or a prompt of another kind.
            RequestFailed: no whole answer came; its `record` has what did.
        """
        return background.run(self.achat(prompt, **options))

    def complete(self, prompt: str, **options: Any) -> Reply:
        """Continue a text, without a chat template (/completions); else like `chat`."""
        return background.run(self.acomplete(prompt, **options))

    def stream(self, prompt: Messages, **options: Any) -> Stream:
        """Ask, and iterate the words as they arrive; leaving the iteration stops the server. Else like `chat`."""
        return self._ask("/chat/completions", {"messages": _messages(prompt, options), **_body(options)})

    async def achat(self, prompt: Messages, **options: Any) -> Reply:
        """`chat` for asynchronous code."""
        return await _whole(self.stream(prompt, **options))

    async def acomplete(self, prompt: str, **options: Any) -> Reply:
        """`complete` for asynchronous code."""
        if not isinstance(prompt, str):
            raise UsageError(
                f"complete() continues a text, not a {type(prompt).__name__}", "", "use chat() for messages"
            )
        return await _whole(self._ask("/completions", {"prompt": prompt, **_body(options)}))

    def astream(self, prompt: Messages, **options: Any) -> Stream:
        """`stream` for asynchronous code: `async for words in client.astream(...)`."""
        return self.stream(prompt, **options)

    def _ask(self, path: str, payload: dict[str, Any]) -> Stream:
        record = RequestRecord(request_id=f"request-{next(_numbers)}")
        return Stream(self._pieces(path, payload, record), record)

    async def _pieces(self, path: str, payload: dict[str, Any], record: RequestRecord) -> AsyncGenerator[str, None]:
        """Send, yield the words, and complete the record."""
        import aiohttp

        zero_s = perf_counter()

        async def sent(*_: object) -> None:
            record.sent_s = perf_counter() - zero_s

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(sent)
        answer = Answer(record)
        failure = ""
        try:
            async with aiohttp.ClientSession(
                headers=self._headers,
                trace_configs=[trace],
                timeout=aiohttp.ClientTimeout(total=self.timeout_s, connect=CONNECT_LIMIT_S),
            ) as session:
                model = self.model = self.model or await self._first_model(session)
                body = {"model": model, **payload, "stream": True, "stream_options": {"include_usage": True}}
                async with session.post(self.url + path, json=body) as response:
                    record.status = response.status
                    if response.status != 200 or response.content_type != "text/event-stream":
                        _read_plain(answer, await response.read(), perf_counter() - zero_s)
                    else:
                        async for arrived_s, data in read_events(response.content.iter_any(), zero_s):
                            known = len(answer.pieces)
                            answer.add(arrived_s, data)
                            for words in answer.pieces[known:]:
                                if words:
                                    yield words
        except GeneratorExit:
            record.done_s = perf_counter() - zero_s
            answer.close("stopped by the client", given_up=True)
            raise
        except TimeoutError:
            failure = f"no end of the answer within {self.timeout_s:g} s (Client(..., timeout_s=) is that bound)"
            if record.sent_s is None:
                failure = f"no connection to {self.endpoint.authority} within {CONNECT_LIMIT_S:g} s"
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, ConnectionRefusedError)
            failure = "connection refused by " if refused else f"no connection ({error.os_error}) to "
            failure += self.endpoint.authority
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            when = "before any answer" if record.status is None else "after part of the answer"
            failure = f"connection closed by the server {when}"
        except aiohttp.ClientError as error:
            failure = f"no HTTP with {self.endpoint.authority}: {error or type(error).__name__}"
        record.done_s = perf_counter() - zero_s
        # Without a status there was no stream to be cut.
        answer.close(failure, given_up=record.status is None or failure.startswith("no end"))
        if record.error:
            raise request_failed(self.url, record)

    async def _first_model(self, session: Any) -> str:
        async with session.get(self.url + "/models") as response:
            body = await response.read()
        try:
            return str(orjson.loads(body)["data"][0]["id"])
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
            raise EngineFailed(
                f"{self.url} lists no models: it answered {quote(body)}",
                "not an OpenAI-compatible server, or the wrong URL",
                f"curl {self.url}/models",
            ) from error


def _read_plain(answer: Answer, body: bytes, arrived_s: float) -> None:
    """An answer that is no stream: an error, one JSON object from a server that does not stream, or something else."""
    record = answer.record
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if record.status != 200:
        record.error = f"HTTP {record.status}: {error_message(content) or quote(body)}"
    elif isinstance(content, dict) and isinstance(content.get("choices"), list) and content["choices"]:
        choices = [{**choice, "delta": choice.get("message")} for choice in content["choices"][:1]]
        answer.add(arrived_s, orjson.dumps({**content, "choices": choices}))
        answer.ended = True
    else:
        record.error = f"not an OpenAI answer: {error_message(content) or quote(body)}"


async def _whole(stream: Stream) -> Reply:
    async for _ in stream:
        pass
    return Reply(stream.record)


def _messages(prompt: Messages, options: dict[str, Any]) -> list[dict[str, Any]]:
    """OpenAI's messages; takes `system` out of the options."""
    system = options.pop("system", None)
    first = [] if system is None else [{"role": "system", "content": system}]
    if isinstance(prompt, str):
        return [*first, {"role": "user", "content": prompt}]
    listed = isinstance(prompt, (list, tuple)) and bool(prompt)
    if not listed or not all(isinstance(message, dict) and "role" in message for message in prompt):
        raise UsageError(
            "a prompt is a text or a list of messages",
            f"got {prompt!r:.80}",
            'for example [{"role": "user", "content": "What is a KV cache?"}]',
        )
    return [*first, *prompt]


def _body(options: dict[str, Any]) -> dict[str, Any]:
    import difflib

    extra = options.pop("extra_body", {})
    for name in options:
        if name not in OPTIONS:
            close = difflib.get_close_matches(name, [*OPTIONS, "system", "extra_body"], n=1)
            raise UsageError(
                f"there is no request option {name!r}" + (f"; did you mean {close[0]}?" if close else ""),
                f"the options are {', '.join(OPTIONS)}",
                "extra_body={...} passes on what only one engine knows",
            )
    return {**options, **extra}
