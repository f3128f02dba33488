"""One message: its words, what was measured of it, and what can be done with it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from nicegui import ui

from helpers.ui.components.dialogs import icon_button
from helpers.ui.extensions import MessageAction, run_extension
from helpers.ui.figures import describe
from helpers.ui.hub import LiveAnswer
from helpers.ui.markdown import Growing, render
from helpers.ui.records import Message

FIGURES_EVERY_S = 0.25
"""Numbers that change more often cannot be read."""

SHARE_OF_TIME = 4
"""Rendering may take one part in so many of the time: a long block is renewed less often."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What a message's buttons do."""

    regenerate: Callable[[Message], Awaitable[None]]
    edit: Callable[[Message], None]
    extensions: Sequence[MessageAction]


class MessageView:
    """A message on the page, built into the container that is open."""

    def __init__(self, message: Message, actions: Actions) -> None:
        self.message = message
        self._actions = actions
        self._growing = Growing()
        self._blocks = 0
        self._version = -1
        self._rendered_s = self._figures_s = self._pause_s = 0.0
        with ui.element("article").classes(f"message {message.role}").props(f"data-id={message.id}") as self.element:
            self._build()

    def _build(self) -> None:
        message = self.message
        if message.role == "user":
            ui.label(message.text).classes("words")
            with ui.element("div").classes("actions"):
                icon_button("edit", "Edit and send again", lambda: self._actions.edit(self.message))
                self._copy_button()
            return
        self._author = ui.label(message.model).classes("author")
        with ui.element("details").classes("thinking") as self._thinking_box:
            with ui.element("summary"):
                ui.label("Thinking")
            self._thinking = ui.label("").classes("thoughts")
        self._words = ui.element("div").classes("words markdown")
        with self._words:
            self._last = ui.html("", sanitize=False)
        self._error = ui.label("").classes("error").props("role=alert")
        self._figures = ui.label("").classes("figures")
        self._row = ui.element("div").classes("actions")
        with self._row:
            icon_button("refresh", "Answer again", lambda: self._actions.regenerate(self.message))
            self._copy_button()
            for action in self._actions.extensions:
                icon_button(action.icon, action.title, lambda action=action: self._extend(action))
        self._below = ui.element("div").classes("below markdown")
        self.show(message)

    def _copy_button(self) -> None:
        button = icon_button("content_copy", "Copy", None)
        button.on("click", lambda: ui.run_javascript(f"courseUi.copyText({json.dumps(self.message.text)})"))
        button.classes("copy-message")

    def show(self, message: Message) -> None:
        """Show an answer as it is stored."""
        self.message = message
        writing = message.state == "writing"
        self.element.classes(add="writing" if writing else "", remove="" if writing else "writing")
        if not writing:
            self._words.clear()
            with self._words:
                self._last = ui.html(render(message.text), sanitize=False)
        self._show_thinking(message.thinking)
        if message.state == "stopped":
            self._error.text = "Stopped."
            self._error.classes(add="note")
        else:
            self._error.text = message.error
        self._error.set_visibility(bool(self._error.text))
        self._figures.text = describe(message.figures)
        self._row.set_visibility(not writing)

    def follow(self, live: LiveAnswer) -> None:
        """Show what has been written since the last call."""
        now_s = perf_counter()
        if live.version == self._version or now_s - self._rendered_s < self._pause_s:
            return
        self._version = live.version
        last = self._growing.feed(live.text)
        with self._words:
            for html in self._growing.finished[self._blocks :]:
                self._last.set_content(html)
                self._last = ui.html("", sanitize=False)
        self._blocks = len(self._growing.finished)
        # Past Vue, which would go through the whole page for every token; what is finished goes the usual way.
        ui.run_javascript(f"courseUi.live({self._last.id}, {json.dumps(last)})")
        self._show_thinking(live.thinking)
        if now_s - self._figures_s > FIGURES_EVERY_S:
            self._figures.text = describe(live.figures())
            self._figures_s = now_s
        self._rendered_s = perf_counter()
        self._pause_s = SHARE_OF_TIME * (self._rendered_s - now_s)

    def _show_thinking(self, text: str) -> None:
        if text != self._thinking.text:
            self._thinking.text = text
        self._thinking_box.set_visibility(bool(text))

    async def _extend(self, action: MessageAction) -> None:
        try:
            said = await run_extension(action.run, self.message)
        except Exception as error:  # noqa: BLE001 - an extension is somebody's experiment; the page goes on
            said = f"**{action.title}** failed: `{type(error).__name__}: {error}`"
        self._below.clear()
        if said:
            with self._below:
                ui.html(render(str(said)), sanitize=False).classes("extension-result")
