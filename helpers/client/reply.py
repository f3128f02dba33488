"""What a request comes to: a whole answer, one that is still arriving, or a failure with what did arrive."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

from helpers.client import background
from helpers.client.records import RequestRecord, Usage
from helpers.errors import EngineFailed

CAUSES = {
    400: "the request is not as this server wants it; its message says why",
    401: "the server wants a key: Client(url, api_key=...) or COURSE_API_KEY",
    403: "the key does not allow this",
    404: "the URL or the model's name is wrong",
    413: "the prompt is too large for this server",
    429: "the server has more requests than it accepts",
    503: "the server is still loading, or overloaded",
}


class RequestFailed(EngineFailed):
    """A request that got no whole answer.

    Attributes:
        record: what did arrive, and the HTTP status.
    """

    def __init__(self, what: str, cause: str, next_command: str, record: RequestRecord) -> None:
        super().__init__(what, cause, next_command)
        self.record = record

    def __reduce__(self) -> Any:
        return type(self), (self.what, self.cause, self.next_command, self.record)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `str(reply)` is its text."""

    record: RequestRecord

    @property
    def text(self) -> str:
        """The words."""
        return self.record.text

    @property
    def usage(self) -> Usage:
        """Token counts as the server reported them."""
        return self.record.usage

    @property
    def timings(self) -> dict[str, Any]:
        """What the engine says of this request's times, in its own names."""
        return self.record.engine_timings

    @property
    def finish_reason(self) -> str:
        """`stop`: ended by itself; `length`: cut at max_tokens."""
        return self.record.finish_reason

    def __str__(self) -> str:
        return self.record.text


class Stream:
    """An answer as it arrives: iterate it once, with `for` or `async for`.

    Attributes:
        record: grows while the words arrive, complete when they have ended.
    """

    def __init__(self, pieces: AsyncGenerator[str, None], record: RequestRecord) -> None:
        self.record = record
        self._pieces = pieces

    def __iter__(self) -> Iterator[str]:
        return background.iterate(self._pieces)

    def __aiter__(self) -> AsyncGenerator[str, None]:
        return self._pieces


def request_failed(url: str, record: RequestRecord) -> RequestFailed:
    """The error for a record that has one, with the likely cause of its status."""
    status = record.status
    if status is None:
        cause, step = "the server is not running, or the URL is wrong", f"curl {url}/models"
    elif status == 200:
        cause, step = "the server broke off, or it is not an OpenAI-compatible server", ""
    else:
        cause, step = CAUSES.get(status, "the server's own fault" if status >= 500 else ""), ""
    return RequestFailed(f"{url}: {record.error}", cause, step, record)
