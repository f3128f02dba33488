"""Who is in front of a page: the key in its cookie, checked anew whenever something is asked or shown."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from helpers.api.auth import Key
from helpers.api.refusal import Refused
from helpers.api.state import State
from helpers.ui.gateway import Gateway
from helpers.ui.hub import Hub

COOKIE = "course_key"
COOKIE_DAYS = 30


class SignedOut(Exception):
    """The page needs a valid key."""


@dataclass(frozen=True, slots=True)
class Session:
    """One page's key. `key` is its text, empty where no keys are required."""

    state: State
    hub: Hub
    key: str

    def who(self) -> Key:
        """The key's record.

        Raises:
            SignedOut: there is none, or not any more.
        """
        if not self.state.keyring.required:
            return self.state.keyring.check([])
        try:
            return self.state.keyring.check([(b"authorization", f"Bearer {self.key}".encode("latin-1", "replace"))])
        except Refused as refused:
            raise SignedOut from refused

    @property
    def owner(self) -> str:
        """Whose conversations are shown."""
        return self.who().id

    @property
    def gateway(self) -> Gateway:
        """The gateway, asked with this key."""
        return self.hub.gateway(self.key)

    @property
    def may_change_models(self) -> bool:
        """Whether this key may pull and delete models."""
        return not self.state.keyring.required or self.who().may_change_models


def session_of(request: Request, state: State, hub: Hub) -> Session:
    """The session of a page's request."""
    return Session(state, hub, request.cookies.get(COOKIE, ""))


def sign_in(state: State, hub: Hub, key: str) -> Response:
    """Back to the chat with the key in a cookie that scripts cannot read; or to the form, if the key is not valid."""
    try:
        Session(state, hub, key).who()
    except SignedOut:
        return RedirectResponse("/sign-in?wrong=1", 303)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, key, max_age=COOKIE_DAYS * 86_400, httponly=True, samesite="strict", path="/")
    return answer


def sign_out() -> Response:
    """To the form, without the key."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer
