"""The rest of the Ollama API: all upstreams' models listed and described; changed only by a real Ollama."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from helpers.api.admin import Json, names
from helpers.api.blobs import relay_blob
from helpers.api.flow import read_body
from helpers.api.health import ask
from helpers.api.ollama import error_body as error_body
from helpers.api.openai import parse_object, wrong
from helpers.api.refusal import Refused, UpstreamFailure
from helpers.api.routing import Target
from helpers.api.state import State

API_VERSION = "0.12.0"
"""The version of the Ollama API that is spoken here; clients compare it with what they need."""

STARTED_AT = datetime.now(UTC)
CHANGE_LIMIT_S = 600.0
"""Between two signs of life of a pull."""


def details(model: dict[str, Any]) -> dict[str, Any]:
    """What an engine says of its model, in Ollama's words; empty where it does not say."""
    meta = model.get("meta") if isinstance(model.get("meta"), dict) else {}
    parameters = (meta or {}).get("n_params")
    return {
        "parent_model": "",
        "format": "gguf" if meta else "",
        "family": str(model.get("owned_by", "")),
        "families": None,
        "parameter_size": f"{parameters / 1e6:.1f}M" if isinstance(parameters, int) else "",
        "quantization_level": "",
    }


def context_tokens(model: dict[str, Any]) -> int | None:
    """A model's context length as vLLM (max_model_len) or llama.cpp (meta.n_ctx_train) tells it."""
    meta = model.get("meta") if isinstance(model.get("meta"), dict) else {}
    value = model.get("max_model_len") or (meta or {}).get("n_ctx_train")
    return value if isinstance(value, int) else None


def entry(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """A model in a list."""
    meta = model.get("meta") if isinstance(model.get("meta"), dict) else {}
    return {
        "name": name,
        "model": name,
        "modified_at": STARTED_AT.isoformat(),
        "size": (meta or {}).get("size") or 0,
        "digest": sha256(name.encode()).hexdigest(),
        "details": details(model),
    }


async def ollama_lists(state: State, path: str) -> dict[str, dict[str, Any]]:
    """What the real Ollamas list at a path, by name; one that does not answer lists nothing."""
    found: dict[str, dict[str, Any]] = {}
    for target in state.router.targets:
        if target.is_ollama and target.alive:
            try:
                _, body = await ask(target, "GET", target.endpoint.root + path)
                found |= {model["name"]: model for model in orjson.loads(body)["models"]}
            except (UpstreamFailure, orjson.JSONDecodeError, LookupError, TypeError):
                target.alive = False  # the next health check says more
    return found


def model_name(fields: dict[str, Any]) -> str:
    """The model of a request, under either of Ollama's names for it.

    Raises:
        Refused: 400, there is none.
    """
    name = fields.get("model") or fields.get("name") or fields.get("source")
    if not isinstance(name, str):
        raise wrong("model", "must be a name")
    return name


def living_ollama(state: State) -> Target | None:
    """The Ollama that models are pulled to: the first that answers."""
    return next((target for target in state.router.targets if target.is_ollama and target.alive), None)


def routes(state: State) -> APIRouter:
    """The routes, all with the key check."""
    router = APIRouter(tags=["Ollama"])

    async def read(request: Request) -> tuple[bytes, dict[str, Any]]:
        state.keyring.check(request.scope["headers"])
        body = await read_body(request.scope["headers"], request.receive, state.settings.limits.max_body_bytes)
        return body, parse_object(body)

    @router.get("/api/version")
    async def version() -> Response:
        """The version of the API."""
        return Json({"version": API_VERSION})

    @router.get("/api/tags")
    async def tags(request: Request) -> Response:
        """All models."""
        state.keyring.check(request.scope["headers"])
        listed = await ollama_lists(state, "/api/tags")
        for name, model in names(state).items():
            listed.setdefault(name, entry(name, state.router.models[model][0].models[model]))
        return Json({"models": list(listed.values())})

    @router.get("/api/ps")
    async def running(request: Request) -> Response:
        """Models that are loaded: those of engines that serve one model are, as long as the engine lives."""
        state.keyring.check(request.scope["headers"])
        loaded = await ollama_lists(state, "/api/ps")
        forever = (datetime.now(UTC) + timedelta(days=365)).isoformat()
        for model, targets in state.router.models.items():
            target = next((target for target in targets if target.alive and not target.is_ollama), None)
            if target is not None:
                size = {
                    "size_vram": 0,
                    "expires_at": forever,
                    "context_length": context_tokens(target.models[model]) or 0,
                }
                loaded[model] = entry(model, target.models[model]) | size
        return Json({"models": list(loaded.values())})

    @router.post("/api/show")
    async def show(request: Request) -> Response:
        """One model's description."""
        body, fields = await read(request)
        model, targets = state.router.resolve(model_name(fields))
        if targets[0].is_ollama:
            return await relay(targets[0], "POST", "/api/show", body)
        description = targets[0].models[model]
        length = context_tokens(description)
        info = {"general.architecture": "llama"} | ({"llama.context_length": length} if length else {})
        shown = {
            "modelfile": "",
            "parameters": "",
            "template": "",
            "license": "",
            "modified_at": STARTED_AT.isoformat(),
        }
        return Json({**shown, "details": details(description), "model_info": info, "capabilities": ["completion"]})

    def check_may_change(request: Request) -> None:
        key = state.keyring.check(request.scope["headers"])
        if state.keyring.required and not key.may_change_models:
            raise Refused(403, "not_allowed", "This key may not change models: ./course keys add NAME --models.")

    async def change(request: Request) -> Response:
        """Pull, push, create, copy, delete: done by a real Ollama; other engines get their models at their start."""
        body, fields = await read(request)
        check_may_change(request)
        action = request.url.path.removeprefix("/api/")
        name = model_name(fields)
        target = living_ollama(state)
        if target is not None:
            return await relay(target, request.method, request.url.path, body)
        if action == "pull" and name in names(state):
            if fields.get("stream") is False:
                return Json({"status": "success"})
            return Response(b'{"status":"pulling manifest"}\n{"status":"success"}\n', media_type="application/x-ndjson")
        reason = "no Ollama is behind this gateway, and other engines get their models when they are started"
        raise Refused(501, "not_implemented", f"Cannot {action} {name[:100]!r}: {reason} (./course serve --model).")

    for action in ("pull", "push", "create", "copy"):
        router.add_api_route(f"/api/{action}", change, methods=["POST"], name=action, operation_id=action)
    router.add_api_route("/api/delete", change, methods=["DELETE"], name="delete", operation_id="delete")

    @router.api_route("/api/blobs/{digest}", methods=["HEAD", "POST"], include_in_schema=False)
    async def blobs(digest: str, request: Request) -> Response:
        """Uploads of model files."""
        check_may_change(request)
        if (target := living_ollama(state)) is not None:
            return await relay_blob(target, digest, request)
        raise Refused(501, "not_implemented", "Model files are not taken in here: give them to the engine itself.")

    return router


async def relay(target: Target, method: str, path: str, body: bytes) -> Response:
    """Ask a real Ollama, and pass on what it answers as it comes.

    Raises:
        Refused: it does not answer.
    """
    request = target.encode(target.endpoint.root + path, body, method=method)
    try:
        connection = await target.pool.request(request, "the answer", CHANGE_LIMIT_S)
    except UpstreamFailure as failure:
        raise failure.refusal() from failure

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while piece := await connection.read():
                yield piece
                connection.wait_at_most("more", CHANGE_LIMIT_S)
        except UpstreamFailure as failure:
            yield error_body(failure.refusal()) + b"\n"
        finally:
            target.pool.release(connection)

    return StreamingResponse(pieces(), connection.status, media_type=connection.kind.decode("latin-1"))
