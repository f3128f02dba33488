"""What is asked? The OpenAI API's requests; checked is only what the gateway acts on, the rest is the engine's."""

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from helpers.api.calls import Call
from helpers.api.refusal import Refused, error_body
from helpers.api.routing import Target
from helpers.api.settings import Limits
from helpers.api.stream import EventStream, Translator

BYTES_PER_TOKEN = 4
"""For estimates before the engine has counted: about four bytes of English text a token."""

IMAGE = re.compile(rb";base64,[A-Za-z0-9+/=]{64,}")
"""Images in a request: many bytes, few tokens."""

PREFIX_BYTES = 1024
"""How much of the messages decides which upstream has their start in its cache."""

INCLUDE_USAGE = b',"stream_options":{"include_usage":true}}'


@dataclass(slots=True)
class Wanted:
    """A checked request: `fields` is the parsed `body`; `prompt_tokens` is an estimate."""

    model: str
    stream: bool
    body: bytes
    fields: dict[str, Any]
    prompt_tokens: int
    output_tokens: int
    prefix: bytes = field(default=b"")


class Dialect(Protocol):
    """One path of an API: how its requests are read, sent on, and answered."""

    name: str

    def parse(self, body: bytes, limits: Limits) -> Wanted: ...  # noqa: D102
    def forward(self, wanted: Wanted, model: str, target: Target, call: Call) -> tuple[str, bytes, Translator]: ...  # noqa: D102
    def error(self, refusal: Refused) -> bytes: ...  # noqa: D102


class OpenAI:
    """chat/completions, completions, or embeddings; `needs` is the field that holds the prompt."""

    def __init__(self, name: str, path: str, needs: str) -> None:
        self.name = name
        self._path = path
        self._needs = needs

    def parse(self, body: bytes, limits: Limits) -> Wanted:
        """Check a body.

        Raises:
            Refused: 400, naming the field.
        """
        fields = parse_object(body)
        prompt = fields.get(self._needs)
        if not isinstance(prompt, list if self._needs == "messages" else (str, list)) or prompt == []:
            raise wrong(self._needs, "is missing or of the wrong type")
        asked = fields.get("max_completion_tokens", fields.get("max_tokens"))
        wanted = check_common(fields, body, asked, limits)
        start = body.find(b'"messages"') if self._needs == "messages" else 0
        wanted.prefix = body[start : start + PREFIX_BYTES]
        return wanted

    def forward(self, wanted: Wanted, model: str, target: Target, call: Call) -> tuple[str, bytes, Translator]:
        """Path and body for the target: the client's own bytes, if possible, and usage asked for in any case."""
        options = wanted.fields.get("stream_options")
        usage_asked = isinstance(options, dict) and options.get("include_usage") is True
        body = wanted.body
        if model != wanted.model or (wanted.stream and options is not None and not usage_asked):
            changed = {**wanted.fields, "model": model}
            if wanted.stream:
                changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
            body = orjson.dumps(changed)
        elif wanted.stream and not usage_asked:
            body = body.rstrip()[:-1] + INCLUDE_USAGE
        return target.endpoint.base + self._path, body, EventStream(call, usage_asked)

    def error(self, refusal: Refused) -> bytes:
        """An error body as OpenAI's clients read it."""
        return error_body(refusal)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        Refused: 400, it is none.
    """
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "invalid_json", f"The body is no JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise Refused(400, "invalid_json", "The body must be a JSON object.")
    return fields


def check_common(fields: dict[str, Any], body: bytes, max_tokens: object, limits: Limits) -> Wanted:
    """Check what all requests have: model, stream, n, the cap on output, the estimate of the context.

    Raises:
        Refused: 400, naming the field.
    """
    model, stream, choices = fields.get("model"), fields.get("stream"), fields.get("n")
    if not isinstance(model, str) or not 0 < len(model) <= 256:
        raise wrong("model", "must be a name of at most 256 characters")
    if stream is not None and not isinstance(stream, bool):
        raise wrong("stream", "must be true or false")
    if choices is not None and (type(choices) is not int or not 1 <= choices <= 16):
        raise wrong("n", "must be a whole number from 1 to 16")
    if max_tokens is not None and (type(max_tokens) is not int or not 1 <= max_tokens <= limits.max_output_tokens):
        raise wrong("max_tokens", f"must be a whole number from 1 to {limits.max_output_tokens}")
    text_bytes = len(body) - sum(map(len, IMAGE.findall(body)))
    prompt_tokens, output_tokens = text_bytes // BYTES_PER_TOKEN, (max_tokens or 0) * (choices or 1)
    if prompt_tokens + output_tokens > limits.max_context_tokens:
        message = f"Prompt (about {prompt_tokens} tokens) and max_tokens exceed {limits.max_context_tokens} tokens."
        raise Refused(400, "context_length_exceeded", message, param="max_tokens")
    return Wanted(model, bool(stream), body, fields, prompt_tokens, output_tokens)


def wrong(param: str, what: str) -> Refused:
    """The refusal of one field."""
    return Refused(400, "invalid_value", f"{param} {what}.", param=param)


OPENAI: dict[str, Dialect] = {
    "/v1/chat/completions": OpenAI("chat", "/chat/completions", "messages"),
    "/v1/completions": OpenAI("completions", "/completions", "prompt"),
    "/v1/embeddings": OpenAI("embeddings", "/embeddings", "input"),
}
