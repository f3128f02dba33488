"""`./course serve`: the gateway, in front of given upstreams or of an engine that it starts and ends itself."""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI

    from helpers.api.settings import Settings, UpstreamSettings

DEFAULT_PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="NAME=URL[,URL]",
        help="an engine that runs already, with or without /v1; its models are read from it; may be repeated",
    )
    parser.add_argument("--engine", help="start this engine (default: auto, unless there is an upstream)")
    parser.add_argument("--model", default="", help="what the started engine serves (default: the course model)")
    parser.add_argument("--host", default="127.0.0.1", help="other than loopback only with keys")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 for a free one (default: {DEFAULT_PORT})")
    parser.add_argument("--no-ui", action="store_true", help="no chat page at /")
    parser.add_argument(
        "--extension",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a Python file that adds to the chat page (helpers/ui/extensions.py); may be repeated",
    )
    parser.add_argument(
        "--database", metavar="URL", help="keys and usage; default: SQLite in the course's cache folder"
    )
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--keys", action="store_true", help="require a key (the default as soon as there is one)")
    keys.add_argument("--no-keys", action="store_true", help="require none, on loopback only")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML: upstreams, aliases, limits, time-outs; deploy/gateway.toml is one",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object when it listens")
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    from helpers.api.server import bind, make_server, run_server
    from helpers.api.settings import Settings, UpstreamSettings, read_settings_file

    found: dict[str, Any] = read_settings_file(arguments.config) if arguments.config else {}
    upstreams = (*found.pop("upstreams", ()), *map(UpstreamSettings.parse, arguments.upstream))
    if arguments.model and upstreams and not arguments.engine:
        raise UsageError(
            "--model is for an engine that is started here", "the upstreams have their own", "add --engine"
        )
    database = arguments.database or found.pop("database", "")
    required = keys_required(arguments.host, database, arguments.keys, arguments.no_keys)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(bind(arguments.host, arguments.port))
        if arguments.engine or not upstreams:
            upstreams += (stack.enter_context(started_engine(arguments.engine or "auto", arguments.model)),)
        settings = Settings(upstreams=upstreams, **{**found, "database": database, "keys_required": required})
        host, port = listener.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        app = application(settings, None if arguments.no_ui else arguments.extension)
        server = make_server(app, lambda: announce(url, settings, not arguments.no_ui, arguments.json))
        run_server(server, listener, arguments.with_parent)
    return 0


def keys_required(host: str, database_url: str, asked: bool, refused: bool) -> bool:
    """Decide whether requests need a key.

    Raises:
        UsageError: others could reach the gateway, and there is no key.
    """
    from helpers.api.auth import LOOPBACK_NAMES
    from helpers.api.database import Database

    database = Database(database_url)
    exist = bool(database.valid_keys())
    database.close()
    if host not in LOOPBACK_NAMES and (refused or not exist):
        raise UsageError(
            f"{host} can be reached by others, and the gateway would need no key",
            "--no-keys is for loopback only" if refused else "there is no key yet",
            "./course keys add NAME",
        )
    return not refused and (asked or exist)


@contextlib.contextmanager
def started_engine(engine: str, model: str) -> "Iterator[UpstreamSettings]":
    """An engine for as long as the gateway runs, as an upstream."""
    import helpers
    from helpers.api.settings import UpstreamSettings
    from helpers.config import read_settings

    with helpers.launch(engine, model) as server:
        attached = read_settings()
        yield UpstreamSettings(server.engine, (server.url,), attached.api_key if attached.engine_url else "")


def application(settings: "Settings", ui_extensions: "Sequence[Path] | None") -> "FastAPI":
    """The gateway with the chat UI at /, or (None) with a page that says what is served."""
    from helpers.api.app import create_app
    from helpers.api.page import add_page

    app = create_app(settings)
    if ui_extensions is None:
        add_page(app)
    else:
        from helpers.ui import mount

        mount(app, ui_extensions)
    return app


def announce(url: str, settings: "Settings", ui: bool, as_json: bool) -> None:
    """Say where it listens."""
    names = [upstream.name for upstream in settings.upstreams]
    if as_json:
        print(
            json.dumps(
                {"url": url, "openai": f"{url}/v1", "ollama": url, "upstreams": names, "keys": settings.keys_required}
            )
        )
    else:
        print(f"The gateway listens on {url}, in front of {', '.join(names)}.")
        if ui:
            print(f"  chat page   {url}")
        print(f"  OpenAI API  {url}/v1\n  Ollama API  {url}\n  metrics     {url}/metrics")
        print(
            "  Requests need a key (./course keys add NAME)."
            if settings.keys_required
            else "  No key is needed: loopback only."
        )
        print("  Ctrl-C ends it.")
    sys.stdout.flush()
