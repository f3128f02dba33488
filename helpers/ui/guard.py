"""What stands before the UI's pages: which paths are theirs, who may open them, and what their browser may load."""

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helpers.api.auth import refuse_foreign_pages
from helpers.api.refusal import Refused
from helpers.api.state import State

PAGES = ("/", "/models", "/sign-in", "/favicon.ico")
FOLDERS = ("/c/", "/_nicegui", "/ui-static/")

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, whatever gets into a page. NiceGUI's own scripts are inline, and it evaluates handlers."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all a form of ours would come from an Origin "null"
}


class Guard:
    """NiceGUI's application behind the checks."""

    def __init__(self, pages: ASGIApp, state: State) -> None:
        self._pages = pages
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request, or one WebSocket."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path not in PAGES and not path.startswith(FOLDERS):
            raise HTTPException(404, "Not Found")
        try:
            refuse_other_sites(scope["headers"], self._state)
        except Refused:
            if scope["type"] == "http":
                raise
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._pages(scope, receive, with_headers)


def refuse_other_sites(headers: list[tuple[bytes, bytes]], state: State) -> None:
    """Pages of other sites must not talk to ours, with or without keys.

    Raises:
        Refused: 403.
    """
    if not state.keyring.required:
        refuse_foreign_pages(headers)
        return
    named = dict(headers)
    origin = named.get(b"origin", b"").decode("latin-1")
    if origin and urlsplit(origin).netloc != named.get(b"host", b"").decode("latin-1"):
        raise Refused(403, "foreign_origin", "This page belongs to another site.")
