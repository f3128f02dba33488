"""The OpenAPI description of the paths that do not go through FastAPI's handling of requests."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

DESCRIPTION = (
    "OpenAI and Ollama APIs in, any engine behind. Fields that are not listed here are the engine's: they are passed "
    "on as they are."
)

MESSAGES = {"type": "array", "minItems": 1, "items": {"type": "object", "properties": {"role": {"type": "string"}}}}
TEXT = {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1}]}
COMMON = {
    "model": {"type": "string", "minLength": 1, "maxLength": 256},
    "stream": {"type": "boolean"},
}
SAMPLING = {
    **COMMON,
    "max_tokens": {"type": "integer", "minimum": 1},
    "n": {"type": "integer", "minimum": 1, "maximum": 16},
    "temperature": {"type": "number", "minimum": 0},
}
OPTIONS = {"type": "object", "description": "Ollama's: temperature, num_predict, seed, stop, ..."}

BODIES: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "/v1/chat/completions": ("OpenAI", "A chat completion", {**SAMPLING, "messages": MESSAGES}, ["model", "messages"]),
    "/v1/completions": ("OpenAI", "A text completion", {**SAMPLING, "prompt": TEXT}, ["model", "prompt"]),
    "/v1/embeddings": ("OpenAI", "Embeddings", {**COMMON, "input": TEXT}, ["model", "input"]),
    "/api/chat": ("Ollama", "A chat completion", {**COMMON, "messages": MESSAGES, "options": OPTIONS}, ["model"]),
    "/api/generate": (
        "Ollama",
        "A completion",
        {**COMMON, "prompt": {"type": "string"}, "options": OPTIONS},
        ["model"],
    ),
    "/api/embed": ("Ollama", "Embeddings", {**COMMON, "input": TEXT}, ["model", "input"]),
    "/api/embeddings": ("Ollama", "One embedding", {**COMMON, "prompt": {"type": "string"}}, ["model", "prompt"]),
}
"""Path -> tag, summary, fields that the gateway acts on, fields that must be there."""

ANSWERS = {
    "200": "the engine's answer; a stream if `stream` is true (Ollama: unless it is false)",
    "400": "a field is wrong, or the engine refuses the request",
    "401": "no valid key",
    "403": "a web page of another site",
    "404": "no such model",
    "413": "too large",
    "429": "too many requests; Retry-After says when to return",
    "501": "nothing behind the gateway can do this",
    "502": "the engine failed",
    "503": "the engine is not available",
    "504": "the engine took too long",
}


def documented(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi` that knows these paths too."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            described["paths"] = {path: {"post": operation(path)} for path in BODIES} | described["paths"]
            app.openapi_schema = described
        return app.openapi_schema

    return openapi


def operation(path: str) -> dict[str, Any]:
    """One POST."""
    tag, summary, properties, required = BODIES[path]
    body = {"type": "object", "properties": properties, "required": required, "additionalProperties": True}
    return {
        "tags": [tag],
        "summary": summary,
        "operationId": path.strip("/").replace("/", "_"),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {status: {"description": text} for status, text in ANSWERS.items()},
    }
