"""The pages: which path shows what, and who may see it."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from helpers.api.state import State
from helpers.ui.components.theme import apply_theme
from helpers.ui.extensions import Extensions
from helpers.ui.hub import Hub
from helpers.ui.jobs import Jobs
from helpers.ui.pages.chat import ChatPage
from helpers.ui.pages.models import ModelsPage
from helpers.ui.pages.sign_in import show_sign_in
from helpers.ui.session import Session, SignedOut, session_of

BUILD_LIMIT_S = 20.0
"""For a page to be built while every core is busy."""


def register_pages(state: State, hub: Hub, jobs: Jobs, extensions: Extensions) -> None:
    """Tell NiceGUI of every page."""

    async def show(request: Request, build: Callable[[Session], Awaitable[None]]) -> Response | None:
        session = session_of(request, state, hub)
        try:
            session.who()
        except SignedOut:
            return RedirectResponse("/sign-in", 303)
        apply_theme(request)
        await build(session)
        return None

    @ui.page("/", response_timeout=BUILD_LIMIT_S)
    async def new_chat(request: Request) -> Response | None:
        return await show(request, lambda session: ChatPage(session, extensions).build(""))

    @ui.page("/c/{conversation_id}", response_timeout=BUILD_LIMIT_S)
    async def chat(request: Request, conversation_id: str) -> Response | None:
        return await show(request, lambda session: ChatPage(session, extensions).build(conversation_id))

    @ui.page("/models", title="Models", response_timeout=BUILD_LIMIT_S)
    async def models(request: Request) -> Response | None:
        return await show(request, lambda session: ModelsPage(session, jobs).build())

    @ui.page("/sign-in", title="Sign in", response_timeout=BUILD_LIMIT_S)
    async def sign_in(request: Request, wrong: str = "") -> Response | None:
        if not state.keyring.required:
            return RedirectResponse("/", 303)
        apply_theme(request)
        show_sign_in(wrong=bool(wrong))
        return None
