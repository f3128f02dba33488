"""Short GET requests to an engine's own endpoints: health, models, metrics. Never through a proxy."""

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from helpers.client.wire import Endpoint

PROBE_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `status` None and `failure` one line if there was none."""

    status: int | None
    body: bytes = b""
    failure: str = ""

    def json(self) -> Any:
        """The body's JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def get(url: str, *, api_key: str = "", timeout_s: float = PROBE_LIMIT_S) -> Answer:
    """Ask once.

    Raises:
        UsageError: the URL is none.
    """
    endpoint = Endpoint.parse(url)
    kind = http.client.HTTPSConnection if endpoint.tls else http.client.HTTPConnection
    connection = kind(endpoint.host, endpoint.port, timeout=timeout_s)
    try:
        connection.request("GET", endpoint.base, headers={"Authorization": f"Bearer {api_key}"} if api_key else {})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except ConnectionRefusedError:
        return Answer(None, failure=f"nothing listens at {endpoint.authority}")
    except TimeoutError:
        return Answer(None, failure=f"{endpoint.authority} did not answer within {timeout_s:g} s")
    except (OSError, ssl.SSLError) as error:
        return Answer(None, failure=f"{endpoint.authority} cannot be reached: {error.strerror or error}")
    except http.client.HTTPException as error:
        return Answer(None, failure=f"{endpoint.authority} does not speak HTTP: {error or type(error).__name__}")
    finally:
        connection.close()
