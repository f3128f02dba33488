"""Why a request is not answered, in terms a client may see: no addresses, no traces."""

from dataclasses import dataclass

import orjson


@dataclass(slots=True, eq=False)
class Refused(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status. code: one word for clients and metrics. message: one sentence for people.
        retry_after_s: whole seconds after which asking again makes sense; None if it never does.
        param: the field of the request that is wrong, if it is one.
    """

    status: int
    code: str
    message: str
    retry_after_s: int | None = None
    param: str | None = None


LEFT = "client_left"


def shutting_down() -> Refused:
    """What requests are told during the drain, and those that it ends."""
    return Refused(503, "shutting_down", "The gateway is shutting down.", 5)


def client_left() -> Refused:
    """For the records only: nobody is there to be told."""
    return Refused(499, LEFT, "The client has left.")


def too_large(max_bytes: int) -> Refused:
    """What a body of more than `max_bytes` gets."""
    return Refused(413, "body_too_large", f"A request may have at most {max_bytes} bytes.")


class UpstreamFailure(Exception):
    """The upstream did not answer, or stopped answering; `status` and `retry_after_s` if it refused.

    `cause` is one of connect, lost, timeout, status, foreign: what the breaker, the metrics and the logs go by.
    """

    def __init__(self, cause: str, detail: str = "", status: int = 0, retry_after_s: int | None = None) -> None:
        super().__init__(detail or cause)
        self.cause = cause
        self.status = status
        self.retry_after_s = retry_after_s

    def refusal(self) -> Refused:
        """What the client is told when no other upstream can take over."""
        if self.status == 429:
            return Refused(429, "upstream_busy", "The engine is busy.", self.retry_after_s or 1)
        if self.cause == "timeout":
            return Refused(504, "upstream_timeout", f"The engine took too long: {self}.")
        if self.cause == "connect" or self.status == 503:
            return Refused(503, "upstream_unavailable", "The engine is not available.", self.retry_after_s or 1)
        return Refused(502, f"upstream_{self.cause}", "The engine failed to answer." if self.cause != "lost" else LOST)


LOST = "The engine ended the answer before it was complete."


def error_body(refusal: Refused) -> bytes:
    """OpenAI's form of an error."""
    kind = "invalid_request_error" if refusal.status < 500 else "upstream_error"
    return orjson.dumps(
        {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}}
    )
