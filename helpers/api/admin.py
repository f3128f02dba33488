"""Everything of the OpenAI side that is no completion: models, health, readiness, metrics, and the form of errors."""

import asyncio
from time import monotonic
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from helpers.api import ollama
from helpers.api.refusal import Refused, error_body
from helpers.api.state import State

IDLE_LIMIT_S = 2.0
"""After the drain time: how long cancelled requests may take to tell their clients."""


class Json(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Starlette: the body."""
        return orjson.dumps(content)


def model_entry(state: State, name: str, model: str) -> dict[str, Any]:
    """A model as /v1/models lists it: what the engine says of it, under the name it is asked for here."""
    targets = state.router.models[model]
    return {"object": "model", "created": 0, **targets[0].models[model], "id": name, "owned_by": targets[0].upstream}


def names(state: State) -> dict[str, str]:
    """Every name a client may ask for, and the model behind it."""
    models = {model: model for model in state.router.models}
    return models | {alias: model for alias, model in state.router.aliases.items() if model in models}


def routes(state: State) -> APIRouter:
    """The routes; those that say anything about models or clients need a key where keys are required."""
    router = APIRouter()

    @router.get("/v1/models", tags=["OpenAI"])
    async def list_models(request: Request) -> Response:
        """The models of all upstreams that have answered, and the aliases."""
        state.keyring.check(request.scope["headers"])
        data = [model_entry(state, name, model) for name, model in names(state).items()]
        return Json({"object": "list", "data": data})

    @router.get("/v1/models/{name:path}", tags=["OpenAI"])
    async def show_model(name: str, request: Request) -> Response:
        """One model."""
        state.keyring.check(request.scope["headers"])
        model, _ = state.router.resolve(name)
        return Json(model_entry(state, name, model))

    @router.get("/health", tags=["operations"])
    async def health() -> Response:
        """The process runs."""
        return Json({"status": "ok"})

    @router.get("/ready", tags=["operations"], responses={503: {"description": "draining, or no upstream answers"}})
    async def ready() -> Response:
        """Requests can be answered."""
        up = {target.name: target.alive for target in state.router.targets}
        return JSONResponse(
            {"ready": state.ready, "draining": state.draining, "upstreams": up}, 200 if state.ready else 503
        )

    @router.get("/metrics", tags=["operations"])
    async def metrics(request: Request) -> Response:
        """Prometheus metrics."""
        state.keyring.check(request.scope["headers"])
        return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def wait_until_idle(state: State) -> None:
    """Wait for the requests that are being ended."""
    deadline_s = monotonic() + IDLE_LIMIT_S
    while state.running and monotonic() < deadline_s:
        await asyncio.sleep(0.02)


def add_error_handlers(app: FastAPI) -> None:
    """Errors of FastAPI's paths in the form of the API that was asked: no page, no trace."""

    @app.exception_handler(Refused)
    async def refused(request: Request, refusal: Refused) -> Response:
        headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
        body = ollama.error_body(refusal) if request.url.path.startswith("/api/") else error_body(refusal)
        return Response(body, refusal.status, headers, "application/json")

    @app.exception_handler(HTTPException)
    async def no_such_path(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
        return await refused(request, Refused(error.status_code, code, str(error.detail)))

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:
        return await refused(request, Refused(500, "internal_error", "The gateway failed; its log says why."))
