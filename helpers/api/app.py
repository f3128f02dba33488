"""FastAPI: which path is served by what, and how the gateway starts and stops."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from helpers.api import admin, ollama_admin, schema
from helpers.api.flow import Endpoint
from helpers.api.health import Health
from helpers.api.ollama import OLLAMA
from helpers.api.openai import OPENAI
from helpers.api.settings import Settings
from helpers.api.state import State


class Gateway(FastAPI):
    """FastAPI, which lets the completions past its own handling of requests: that costs more than all of theirs."""

    hot: Mapping[str, Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request, or the lifespan."""
        endpoint = self.hot.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (endpoint or super().__call__)(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application; `app.state.gateway` is its `State`."""
    state = State(settings)
    health = Health(state.router, settings.timeouts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.ledger.start()
        await health.start()
        yield
        state.draining = True
        await admin.wait_until_idle(state)
        await health.stop()
        await asyncio.to_thread(state.ledger.close)

    app = Gateway(
        title="Gateway", description=schema.DESCRIPTION, lifespan=lifespan, version="1.0", docs_url=None, redoc_url=None
    )
    app.state.gateway = state
    app.state.has_ui = False
    app.hot = {path: Endpoint(state, dialect) for path, dialect in (OPENAI | OLLAMA).items()}
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in app.hot.items()]
    app.include_router(admin.routes(state))
    app.include_router(ollama_admin.routes(state))
    app.openapi = schema.documented(app)  # type: ignore[method-assign] # FastAPI's own way to extend it

    admin.add_error_handlers(app)
    return app
