"""Short GET requests to an engine's own endpoints (health, models, metrics), with what went wrong in words."""

import http.client
from dataclasses import dataclass
from typing import Any

from helpers.client.plain import ask
from helpers.client.wire import Endpoint

PROBE_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `value` is its JSON, None if it is none. Without one, `status` is None and `failure` says why."""

    status: int | None
    body: bytes = b""
    value: Any = None
    failure: str = ""


def get(url: str, *, api_key: str = "", timeout_s: float = PROBE_LIMIT_S) -> Answer:
    """Ask once.

    Raises:
        UsageError: the URL is none.
    """
    endpoint = Endpoint.parse(url)
    try:
        answer = ask(endpoint, "GET", endpoint.base, api_key=api_key, timeout_s=timeout_s)
    except ConnectionRefusedError:
        return Answer(None, failure=f"nothing listens at {endpoint.authority}")
    except TimeoutError:
        return Answer(None, failure=f"{endpoint.authority} did not answer within {timeout_s:g} s")
    except OSError as error:
        return Answer(None, failure=f"{endpoint.authority} cannot be reached: {error.strerror or error}")
    except http.client.HTTPException as error:
        return Answer(None, failure=f"{endpoint.authority} does not speak HTTP: {error or type(error).__name__}")
    return Answer(answer.status, answer.body, answer.value)
