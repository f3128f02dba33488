"""What the gateway is told: upstreams, aliases, limits, time-outs; from the command line or a TOML file.

[upstreams.spark]                       [limits]                    [aliases]
urls = ["http://10.0.0.2:8000/v1"]      max_in_flight = 64          "gpt-4o" = "qwen3-8b"
api_key_variable = "SPARK_KEY"          [timeouts]
                                        first_token_s = 60
"""

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from helpers.client.wire import Endpoint
from helpers.errors import MissingError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an upstream or a key may be called: it stands in logs, metrics and answers."""

MAY_BE_ZERO = {
    *("max_waiting", "max_waiting_s", "affinity_slack", "drain_s"),
    *("requests_per_minute", "tokens_per_minute", "key_in_flight"),
}
"""Where 0 means none, or no limit; anywhere else it would mean that nothing is ever served."""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """A named upstream: one URL, or several that serve the same models. The key is never shown."""

    name: str
    urls: tuple[str, ...]
    api_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is no name for an upstream",
                "letters, digits, dots, dashes and underscores, at most 64",
                "./course serve --upstream spark=http://127.0.0.1:8000/v1",
            )
        if not self.urls:
            raise UsageError(f"upstream {self.name} has no URL", "", f"./course serve --upstream {self.name}=URL")
        for url in self.urls:
            Endpoint.parse(url)

    @classmethod
    def parse(cls, text: str) -> "UpstreamSettings":
        """Read NAME=URL[,URL].

        Raises:
            UsageError: it is not of that form, or a URL is none.
        """
        name, equals, urls = text.partition("=")
        if not equals:
            raise UsageError(
                f"{text!r} is no upstream", "the form is NAME=URL[,URL]", "./course serve --upstream spark=URL"
            )
        return cls(name, tuple(url.strip() for url in urls.split(",") if url.strip()))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is let in; 0 means no limit where it says so.

    Attributes:
        max_in_flight: requests at the upstreams at once; the rest wait.
        max_waiting: requests that may wait; further ones get 429.
        max_waiting_s: how long one may wait before it gets 429.
        max_body_bytes: size of a request; 16 MiB holds a few images.
        max_answer_bytes: size of an answer that is no stream.
        max_output_tokens: the most that max_tokens may ask for.
        max_context_tokens: prompt (estimated) and max_tokens together.
        requests_per_minute, tokens_per_minute, key_in_flight: for each key that has no limits of its own; 0 for none.
        attempts: upstreams tried for one request before its first byte.
        affinity_slack: how many requests more than the least loaded upstream the one that knows the prefix may have.
    """

    max_in_flight: int = 256
    max_waiting: int = 1024
    max_waiting_s: float = 30.0
    max_body_bytes: int = 16 * 2**20
    max_answer_bytes: int = 64 * 2**20
    max_output_tokens: int = 32_768
    max_context_tokens: int = 262_144
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    key_in_flight: int = 0
    attempts: int = 3
    affinity_slack: int = 4


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    Attributes:
        connect_s: to an upstream.
        first_token_s: from sending to the upstream to the stream's first byte.
        between_tokens_s: between two pieces of a stream.
        total_s: a whole answer, stream or not.
        receive_s: a client's request, first byte to last.
        slow_client_s: a client that does not read what is written to it.
        heartbeat_s: between signs of life while the first token is awaited.
        health_s: between checks of a living upstream; a dead one is asked more often.
        drain_s: running requests, after SIGTERM.
    """

    connect_s: float = 2.0
    first_token_s: float = 300.0
    between_tokens_s: float = 60.0
    total_s: float = 1800.0
    receive_s: float = 30.0
    slow_client_s: float = 20.0
    heartbeat_s: float = 10.0
    health_s: float = 2.0
    drain_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything; `database` is a SQLAlchemy URL."""

    upstreams: tuple[UpstreamSettings, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    database: str = ""
    keys_required: bool = False

    def __post_init__(self) -> None:
        names = [upstream.name for upstream in self.upstreams]
        if len(set(names)) < len(names):
            raise UsageError("two upstreams have one name", "URLs of one upstream are separated by commas", "")


def read_settings_file(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read the TOML form above into the fields of `Settings`.

    Raises:
        MissingError: no such file, or a key's variable is not set. UsageError: not TOML, unknown names, wrong types.
    """
    environment = os.environ if environment is None else environment
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or "", "") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML", str(error), "") from error
    _known(path, "the file", table, ("upstreams", "aliases", "limits", "timeouts", "database"))
    upstreams, aliases = (_table(path, name, table) for name in ("upstreams", "aliases"))
    found: dict[str, Any] = {
        "upstreams": tuple(_upstream(path, name, _table(path, name, upstreams), environment) for name in upstreams),
        "aliases": {alias: _text(path, alias, model) for alias, model in aliases.items()},
        "limits": Limits(**_numbers(path, "limits", table, Limits)),
        "timeouts": Timeouts(**_numbers(path, "timeouts", table, Timeouts)),
    }
    if "database" in table:
        found["database"] = _text(path, "database", table["database"])
    return found


def _numbers(path: Path, section: str, table: dict[str, Any], kind: type[Limits | Timeouts]) -> dict[str, Any]:
    values = _table(path, section, table)
    types = {f.name: f.type for f in fields(kind)}
    _known(path, f"[{section}]", values, types)
    for name, value in values.items():
        whole = types[name] is int
        fits = type(value) in ((int,) if whole else (int, float)) and 0 <= value < math.inf
        if not fits or (value == 0 and name not in MAY_BE_ZERO):
            bound = "at least 0" if name in MAY_BE_ZERO else "more than 0"
            wanted = f"a {'whole ' if whole else ''}number, {bound}"
            raise UsageError(f"{name} in {path} must be {wanted}", f"it is {value!r}", "")
    return values


def _table(path: Path, name: str, within: dict[str, Any]) -> dict[str, Any]:
    value = within.get(name, {})
    if not isinstance(value, dict):
        raise UsageError(f"{name} in {path} must be a table", f"it is {value!r}", "see deploy/gateway.toml")
    return value


def _text(path: Path, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} in {path} must be a text", f"it is {value!r}", "")
    return value


def _upstream(path: Path, name: str, values: dict[str, Any], environment: Mapping[str, str]) -> UpstreamSettings:
    _known(path, f"[upstreams.{name}]", values, ("urls", "api_key_variable"))
    urls = values.get("urls", [])
    if not isinstance(urls, list):
        raise UsageError(f"urls of {name} in {path} must be a list", f"it is {urls!r}", 'write urls = ["http://..."]')
    variable = _text(path, "api_key_variable", values.get("api_key_variable", ""))
    if variable and variable not in environment:
        raise MissingError(f"{variable} is not set", f"{path} takes the key of upstream {name} from it", "")
    api_key = environment[variable] if variable else ""
    return UpstreamSettings(name, tuple(_text(path, "urls", url) for url in urls), api_key)


def _known(path: Path, where: str, values: Mapping[str, Any], names: Iterable[str]) -> None:
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise UsageError(f"{path}: {where} has no {unknown[0]!r}", f"it knows {', '.join(names)}", "")
