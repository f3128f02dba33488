"""The conversations: search, open, rename, export, delete; extensions' panels; the way to the other pages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from nicegui import ui

from helpers.ui.components.conversations import Action, ConversationList
from helpers.ui.components.dialogs import ask_text, confirm, icon_button, show_table
from helpers.ui.components.theme import theme_button
from helpers.ui.export import as_json, as_markdown
from helpers.ui.extensions import Extensions, run_extension
from helpers.ui.records import Conversation
from helpers.ui.session import Session

SHOWN = 60
"""Conversations in the list; the search finds the others."""

KEYS = (
    ("Enter", "send"),
    ("Shift+Enter", "new line"),
    ("Esc", "stop the answer, or stop editing"),
    ("Arrow up", "edit your last message, while the field is empty"),
    ("Alt+N", "new conversation"),
    ("Alt+F", "search conversations"),
    ("Alt+M", "choose a model"),
    ("/", "go to the message field"),
    ("/name", "a command of an extension"),
    ("?", "this list"),
)


class Sidebar:
    """The drawer on the left."""

    def __init__(self, session: Session, extensions: Extensions, open: Callable[[str], Awaitable[None]]) -> None:
        self._session = session
        self._open = open
        self._version = -1
        self._current = ""
        with (
            ui.left_drawer(value=None, bordered=False)
            .classes("sidebar")
            .props("width=288 breakpoint=900") as self.drawer
        ):
            with ui.element("div").classes("sidebar-top"):
                new = ui.button("New conversation", icon="add", on_click=lambda: open(""))
                new.props("unelevated no-caps").classes("wide new-conversation")
                self._search = ui.input(placeholder="Search", on_change=self._renew_list)
                self._search.props('dense outlined clearable debounce=250 aria-label="Search conversations"')
                self._search.classes("wide search")
            menu = (
                ("Rename", self._within(self._rename)),
                ("Export as Markdown", self._within(self._export_markdown)),
                ("Export as JSON", self._within(self._export_json)),
                ("Delete", self._within(self._delete)),
            )
            self._list = ConversationList(self._open_one, menu)
            self._panels = extensions.panels
            self._panel_area = ui.element("div").classes("panels")
            with ui.element("div").classes("sidebar-foot"):
                ui.link("Models", "/models").classes("foot-link")
                icon_button("keyboard", "Keys", lambda: show_table("Keys", KEYS))
                theme_button()
                if session.state.keyring.required:
                    ui.html(
                        '<form method="post" action="/sign-out"><button class="plain">Sign out</button></form>',
                        sanitize=False,
                    )
        ui.on("course_keys", lambda: show_table("Keys", KEYS))

    async def build_panels(self) -> None:
        """Build what extensions add."""
        with self._panel_area:
            for title, panel in self._panels.items():
                with ui.expansion(title).classes("wide panel").props("dense"):
                    try:
                        await run_extension(panel)
                    except Exception as error:  # noqa: BLE001 - an extension is somebody's experiment
                        ui.label(f"{title} failed: {type(error).__name__}: {error}").classes("error")

    async def renew(self, current: str) -> None:
        """Show the list, if it has changed or another conversation is open."""
        version = self._session.hub.version[f"owner {self._session.owner}"]
        if version != self._version or current != self._current:
            self._version, self._current = version, current
            await self._renew_list()

    async def _renew_list(self) -> None:
        words = (self._search.value or "").strip()
        store, owner = self._session.hub.store, self._session.owner
        found = await asyncio.to_thread(store.list_conversations, owner, words, SHOWN)
        self._list.show(found, self._current, "Nothing found." if words else "No conversations yet.")

    def _within(self, action: Action) -> Action:
        """The same in a place that stays: the row whose menu was clicked may be gone before the action is over."""

        async def act(conversation: Conversation) -> None:
            with self.drawer:
                await action(conversation)

        return act

    async def _open_one(self, conversation: Conversation) -> None:
        await self._open(conversation.id)

    async def _rename(self, conversation: Conversation) -> None:
        title = await ask_text("Rename the conversation", conversation.title, "Rename")
        store = self._session.hub.store
        found = await asyncio.to_thread(store.find_conversation, conversation.owner, conversation.id)
        if title and found is not None:  # read anew: its settings may have changed since the list was shown
            await asyncio.to_thread(store.change_conversation, replace(found, title=title))
            self._session.hub.touch(found)

    async def _delete(self, conversation: Conversation) -> None:
        sure = await confirm("Delete the conversation?", f"{conversation.title}: all its messages go.", "Delete")
        if sure:
            await self._session.hub.stop(conversation)
            await asyncio.to_thread(self._session.hub.store.delete_conversation, conversation)
            self._session.hub.touch(conversation)
            if conversation.id == self._current:
                await self._open("")

    async def _export_markdown(self, conversation: Conversation) -> None:
        messages = await asyncio.to_thread(self._session.hub.store.list_messages, conversation)
        ui.download.content(as_markdown(conversation, messages), "conversation.md", "text/markdown")

    async def _export_json(self, conversation: Conversation) -> None:
        messages = await asyncio.to_thread(self._session.hub.store.list_messages, conversation)
        ui.download.content(as_json(conversation, messages), "conversation.json", "application/json")
