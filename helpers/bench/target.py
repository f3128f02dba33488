"""What is measured: a server that `launch` or `attach` gave, a mock server, or a bare URL."""

import http.client
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from helpers.client.answers import error_message, quote
from helpers.client.plain import PlainAnswer, ask
from helpers.client.wire import Endpoint
from helpers.config import read_settings
from helpers.errors import EngineFailed, UsageError


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
        engine: its name; `attached` for a bare URL.
        model: the course's name of the model; for a bare URL what the server calls it.
        served_model: what requests must call it.
        precision, backend: as the server object says; empty for a bare URL.
        fixed_output: it accepts `ignore_eos`.
        api_key: never written to disk.
    """

    url: str
    engine: str
    model: str
    served_model: str
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
        return " ".join(filter(None, (self.engine, self.model, self.precision)))


def find_target(server: Served | str, *, model: str = "", api_key: str = "") -> Target:
    """Ask a server which model it serves and whether it can answer at a fixed length.

    Args:
        server: a server object, or a URL with or without /v1.
        model: what to ask for; empty for the first that the server lists.
        api_key: bearer token; empty for COURSE_API_KEY.

    Raises:
        EngineFailed: nobody answers there, or no OpenAI-compatible server does, or it refuses the model or the key.
        UsageError: no URL, or a model that is not served there.
    """
    url = server if isinstance(server, str) else server.url
    key = api_key or str(getattr(server, "api_key", "")) or read_settings().api_key
    endpoint = Endpoint.parse(url)
    served = _models(endpoint, url, key)
    wanted = model or (served[0] if isinstance(server, str) or server.model not in served else server.model)
    if wanted not in served:
        raise UsageError(f"{url} does not serve {wanted!r}", f"it serves {', '.join(served)}")
    scheme = "https" if endpoint.tls else "http"
    return Target(
        url=f"{scheme}://{endpoint.authority}{endpoint.base}",
        engine="attached" if isinstance(server, str) else server.engine,
        model=wanted if isinstance(server, str) else server.model,
        served_model=wanted,
        precision="" if isinstance(server, str) else server.precision,
        backend=str(getattr(server, "backend", "")),
        fixed_output=_accepts_fixed_output(endpoint, wanted, key, url),
        api_key=key,
    )


def _models(endpoint: Endpoint, url: str, api_key: str) -> list[str]:
    answer = _ask(endpoint, url, "GET", f"{endpoint.base}/models", None, api_key)
    if answer.status in (401, 403):
        raise EngineFailed(f"{url} refuses the key", f"HTTP {answer.status}", "set COURSE_API_KEY to its key")
    models = answer.value.get("data") if isinstance(answer.value, dict) else None
    names = [str(entry.get("id", "")) for entry in models or [] if isinstance(entry, dict)]
    if answer.status != 200 or not any(names):
        raise EngineFailed(
            f"{url} is no OpenAI-compatible server",
            f"{endpoint.base}/models answers HTTP {answer.status}: {error_message(answer.value) or quote(answer.body)}",
            "check the URL: it usually ends in /v1",
        )
    return names


def _accepts_fixed_output(endpoint: Endpoint, model: str, api_key: str, url: str) -> bool:
    """OpenAI itself and some gateways refuse fields they do not know; engines know this one or pass over it."""
    payload = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    path = f"{endpoint.base}/chat/completions"
    if _ask(endpoint, url, "POST", path, {**payload, "ignore_eos": True}, api_key).status not in (400, 422):
        return True
    plain = _ask(endpoint, url, "POST", path, payload, api_key)
    if plain.status in (400, 401, 403, 404, 422):
        cause = error_message(plain.value) or quote(plain.body)
        raise EngineFailed(f"{url} refuses a minimal chat request", f"HTTP {plain.status}: {cause}")
    return False


def _ask(
    endpoint: Endpoint, url: str, method: str, path: str, payload: dict[str, Any] | None, api_key: str
) -> PlainAnswer:
    try:
        return ask(endpoint, method, path, payload, api_key=api_key)
    except ConnectionRefusedError as error:
        raise EngineFailed(
            f"nothing listens at {url}", "connection refused", "start the server, or mend the URL"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        cause = str(error) or type(error).__name__
        raise EngineFailed(f"no answer from {url}", cause, "check the URL and the server's log") from error
