"""FastAPI: which path is served by what, and how the gateway starts and stops."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from helpers.api import admin, ollama_admin, schema
from helpers.api.flow import Endpoint
from helpers.api.health import Health
from helpers.api.ollama import OLLAMA
from helpers.api.openai import CHAT, COMPLETIONS, EMBEDDINGS, Dialect
from helpers.api.refusal import Refused, error_body
from helpers.api.settings import Settings
from helpers.api.state import State

HOT: dict[str, Dialect] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    **OLLAMA,
}
"""The paths of completions: served without FastAPI's handling of requests, and documented by `schema`."""


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
    app.hot = {path: Endpoint(state, dialect) for path, dialect in HOT.items()}
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in app.hot.items()]
    app.include_router(admin.routes(state))
    app.include_router(ollama_admin.routes(state))
    app.openapi = schema.documented(app)  # type: ignore[method-assign] # FastAPI's own way to extend it

    @app.exception_handler(Refused)
    async def refused(request: Request, refusal: Refused) -> Response:
        headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
        body = ollama_admin.error_body(refusal) if request.url.path.startswith("/api/") else error_body(refusal)
        return Response(body, refusal.status, headers, "application/json")

    @app.exception_handler(HTTPException)
    async def no_such_path(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
        return await refused(request, Refused(error.status_code, code, str(error.detail)))

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return await refused(request, Refused(500, "internal_error", "The gateway failed; its log says why."))

    return app
