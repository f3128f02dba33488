"""What is measured: a server that `launch` or `attach` gave, a mock server, or a bare URL."""

import http.client
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from helpers.client.answers import error_message, quote
from helpers.client.plain import ask
from helpers.client.wire import Endpoint
from helpers.config import read_settings
from helpers.engines.attach import attach
from helpers.errors import EngineFailed

ANSWER_LIMIT_S = 60.0
"""Bound on the one-token request that each server is asked before it is measured; a cold engine may take long."""

REFUSALS = (400, 401, 403, 404, 422)


@runtime_checkable
class Served(Protocol):
    """What a server object must tell to be measured."""

    url: str
    model: str
    engine: str
    precision: str


@dataclass(frozen=True, slots=True)
class Target:
    """A server that has answered.

    Attributes:
        url: with /v1.
        engine, model, precision, backend: as the server object, or the server itself, says.
        fixed_output: it accepts `ignore_eos`.
        api_key: never written to disk.
    """

    url: str
    engine: str
    model: str
    precision: str = ""
    backend: str = ""
    fixed_output: bool = True
    api_key: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, without the key."""
        return {name: value for name, value in asdict(self).items() if name != "api_key"}

    @property
    def name(self) -> str:
        """Engine, model and precision in one line."""
        return ", ".join(filter(None, (self.engine, self.model, self.precision)))


def as_server(server: Served | str, *, model: str = "", api_key: str = "") -> Served:
    """The server itself, or what `attach` finds at a URL; the key defaults to COURSE_API_KEY.

    Raises:
        UsageError, EngineFailed: see `attach`.
    """
    if not isinstance(server, str):
        return server
    return attach(server, model=model, api_key=api_key or read_settings().api_key)


def find_target(server: Served, *, api_key: str = "") -> Target:
    """Ask a server for one token: does it answer, and can it answer at a fixed length?

    An overloaded or failing server (HTTP 429, 5xx) is measured all the same: its errors are then the result.

    Raises:
        EngineFailed: nobody answers there, or the server refuses a minimal request.
    """
    key = api_key or str(getattr(server, "api_key", "")) or read_settings().api_key
    endpoint = Endpoint.parse(server.url)
    return Target(
        url=server.url,
        engine=server.engine,
        model=server.model,
        precision=server.precision,
        backend=str(getattr(server, "backend", "")),
        fixed_output=_accepts_fixed_output(endpoint, server, key),
        api_key=key,
    )


def _accepts_fixed_output(endpoint: Endpoint, server: Served, api_key: str) -> bool:
    """OpenAI itself and some gateways refuse fields they do not know; engines know this one or pass over it."""
    payload = {"model": server.model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    path = f"{endpoint.base}/chat/completions"
    accepted = True
    try:
        fixed = {**payload, "ignore_eos": True}
        answer = ask(endpoint, "POST", path, fixed, api_key=api_key, timeout_s=ANSWER_LIMIT_S)
        if answer.status in (400, 422):
            accepted, answer = False, ask(endpoint, "POST", path, payload, api_key=api_key, timeout_s=ANSWER_LIMIT_S)
    except (OSError, http.client.HTTPException) as error:
        cause = str(error) or type(error).__name__
        raise EngineFailed(f"no answer from {server.url}", cause, "start the server, or mend the URL") from error
    if answer.status in REFUSALS:
        cause = error_message(answer.value) or quote(answer.body)
        raise EngineFailed(f"{server.url} refuses a minimal chat request", f"HTTP {answer.status}: {cause}")
    return accepted
