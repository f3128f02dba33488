"""Single plain requests to a server, outside any measuring: which models it has, how it counts tokens."""

import http.client
import ssl
from dataclasses import dataclass
from typing import Any

import orjson

from helpers.client.wire import Endpoint


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """What came back; `value` is the body's JSON, None if it is none."""

    status: int
    body: bytes
    value: Any


def ask(
    endpoint: Endpoint,
    method: str,
    path: str,
    payload: dict[str, Any] | None = None,
    *,
    api_key: str = "",
    timeout_s: float = 30.0,
) -> PlainAnswer:
    """Send one request and read the whole answer; no proxy, no redirects.

    Args:
        endpoint: the server.
        method: GET or POST.
        path: from the server's root, such as /v1/models.
        payload: sent as JSON.
        api_key: bearer token; empty for none.
        timeout_s: bound on connecting and on each read.

    Raises:
        OSError, http.client.HTTPException: no HTTP answer.
    """
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    connection = (
        http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=timeout_s, context=ssl.create_default_context()
        )
        if endpoint.tls
        else http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
    )
    try:
        connection.request(method, path, None if payload is None else orjson.dumps(payload), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return PlainAnswer(response.status, body, value)
