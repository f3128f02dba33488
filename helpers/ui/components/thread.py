"""The messages of a conversation: the last ones, renewed as they change, followed while they are written."""

import asyncio

from nicegui import ui

from helpers.ui.components.message import Actions, MessageView
from helpers.ui.hub import Hub
from helpers.ui.records import Conversation, Message

WINDOW = 40
"""Messages shown at first and added by each "Show earlier": a page stays quick however long the conversation is."""

EMPTY = "What would you like to know?"


class Thread:
    """The scrolling middle of the page."""

    def __init__(self, hub: Hub, actions: Actions) -> None:
        self._hub = hub
        self._actions = actions
        self._window = WINDOW
        self._version = -1
        self._conversation: Conversation | None = None
        self.messages: list[Message] = []
        self._views: dict[int, MessageView] = {}
        self._turn: ui.element | None = None
        self._lanes: set[int] = set()
        with ui.element("main").classes("thread").props('id=thread tabindex=-1 aria-live="off"'):
            self._earlier = ui.button("Show earlier messages", on_click=self._show_earlier)
            self._earlier.props("flat no-caps dense").classes("earlier")
            self._column = ui.element("div").classes("column-of-messages")
            self._empty = ui.label(EMPTY).classes("empty")
        self._earlier.set_visibility(False)

    async def open(self, conversation: Conversation) -> None:
        """Show another conversation."""
        self._conversation, self._window, self._version = conversation, WINDOW, -1
        self._clear()
        await self.renew(conversation)

    async def renew(self, conversation: Conversation) -> bool:
        """Show what has changed in the store; False if nothing has."""
        version = self._hub.version[conversation.id]
        if version == self._version:
            return False
        self._version = version
        found: list[Message] = []
        if conversation.id:
            found = await asyncio.to_thread(self._hub.store.list_messages, conversation, self._window + 1)
        self._earlier.set_visibility(len(found) > self._window)
        self._show([self._hub.settled(message) for message in found[-self._window :]])
        return True

    def follow(self, conversation: Conversation) -> bool:
        """Show what is being written; False if nothing is."""
        writing = self._hub.writing(conversation)
        for live in writing:
            view = self._views.get(live.message.id)
            if view is not None:
                view.follow(live)
        return bool(writing)

    def last_of_user(self) -> Message | None:
        """The user's last message, of those that are shown."""
        return next((message for message in reversed(self.messages) if message.role == "user"), None)

    def _show(self, messages: list[Message]) -> None:
        ids = {message.id for message in messages}
        if messages and self.messages and messages[0].id < self.messages[0].id:
            self._clear()
        for gone in [number for number in self._views if number not in ids]:
            self._views.pop(gone).element.delete()
            self._turn = None
        for message in messages:
            view = self._views.get(message.id)
            if view is None:
                self._add(message)
            elif view.message != message and message.role == "assistant":
                view.show(message)
        self.messages = messages
        self._empty.set_visibility(not messages)

    def _add(self, message: Message) -> None:
        if message.role == "user" or self._turn is None or message.lane in self._lanes:
            self._lanes = set()
            with self._column:
                self._turn = ui.element("div").classes("turn")
        with self._turn:
            self._views[message.id] = MessageView(message, self._actions)
        if message.role == "user":
            self._turn = None
            return
        self._lanes.add(message.lane)
        if len(self._lanes) > 1:
            self._turn.classes("pair")

    async def _show_earlier(self) -> None:
        self._window += WINDOW
        self._version = -1
        if self._conversation is not None:
            ui.run_javascript("courseUi.keepPlace()")
            await self.renew(self._conversation)

    def _clear(self) -> None:
        self._column.clear()
        self._views.clear()
        self.messages, self._turn = [], None
