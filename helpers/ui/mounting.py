"""The UI's pages into the gateway's application: NiceGUI behind the guard, and the form that signs in."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.routing import Mount

from helpers.api.flow import read_body
from helpers.api.state import State
from helpers.config import read_settings
from helpers.errors import MissingError
from helpers.ui.extensions import load_extensions
from helpers.ui.guard import Guard, refuse_other_sites
from helpers.ui.hub import Hub
from helpers.ui.jobs import Jobs
from helpers.ui.session import sign_in, sign_out
from helpers.ui.store import Store

STATIC = Path(__file__).parent / "static"
TITLE = "Course chat"
MOST_FORM_BYTES = 4096
RECONNECT_S = 60.0
"""How long a page that lost its connection may come back to what it showed."""


def mount(app: FastAPI, extension_files: Sequence[Path]) -> None:
    """Add the pages to the gateway's application; its own paths go first.

    Raises:
        MissingError: NiceGUI is not installed. UsageError: an extension cannot be loaded.
    """
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(read_settings().cache / "ui"))
    try:
        from nicegui import core, ui
    except ImportError as error:
        raise MissingError(
            "the chat UI needs NiceGUI", str(error), "rm -r .venv, then ./course serve; or ./course serve --no-ui"
        ) from error
    from helpers.ui.markdown import styles
    from helpers.ui.pages import register_pages

    state: State = app.state.gateway
    hub, jobs = Hub(app, Store(state.settings.database)), Jobs()
    register_pages(state, hub, jobs, load_extensions(extension_files))
    css = (STATIC / "ui.css").read_text() + styles()
    script = (STATIC / "ui.js").read_text()
    ui.add_head_html(f"<style>{css}</style><script>{script}</script>", shared=True)
    inner_lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(inner: FastAPI) -> AsyncIterator[None]:
        async with inner_lifespan(inner):
            yield
            await hub.close()
            await jobs.close()
        hub.store.close()

    app.router.lifespan_context = lifespan
    add_sign_in(app, state, hub)
    ui.run_with(
        app,
        title=TITLE,
        favicon="💬",
        dark=None,
        tailwind=False,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
        storage_secret=None,
    )
    app.state.has_ui = True
    core.app.config.socket_io_js_transports = ["websocket"]
    for route in app.router.routes:
        if isinstance(route, Mount) and route.app is core.app:
            route.app = Guard(core.app, state)


def add_sign_in(app: FastAPI, state: State, hub: Hub) -> None:
    """The two requests that a page's form makes: it sets the cookie that the pages read, or takes it away."""

    @app.post("/sign-in", include_in_schema=False)
    async def enter(request: Request) -> Response:
        refuse_other_sites(request.scope["headers"], state)
        body = await read_body(request.scope["headers"], request.receive, MOST_FORM_BYTES)
        fields = parse_qs(body.decode("utf-8", "replace"))
        return sign_in(state, hub, fields.get("key", [""])[0].strip())

    @app.post("/sign-out", include_in_schema=False)
    async def leave(request: Request) -> Response:
        refuse_other_sites(request.scope["headers"], state)
        return sign_out()
