"""Where the user writes. Keys are handled in ui.js; what is typed is kept in the browser until it has been stored."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from helpers.ui.components.dialogs import icon_button


class Composer:
    """The text field with its buttons, and the line that says a message is being edited."""

    def __init__(
        self, send: Callable[[str], Awaitable[None]], stop: Callable[[], Awaitable[None]], typed: Callable[[str], None]
    ) -> None:
        self._send = send
        with ui.element("footer").classes("composer-area"), ui.element("div").classes("composer-column"):
            with ui.element("div").classes("editing") as self._editing:
                self._editing_label = ui.label("")
                icon_button("close", "Do not edit", lambda: ui.run_javascript("courseUi.escape()"))
            with ui.element("div").classes("composer"):
                self._field = ui.textarea(placeholder="Write a message", on_change=lambda e: typed(e.value or ""))
                self._field.props('borderless autogrow dense input-class=composer-input aria-label="Message"')
                self._field.classes("composer-field")
                self._send_button = icon_button("arrow_upward", "Send", None).classes("send primary")
                self._send_button.on("click", js_handler="() => courseUi.send()")
                self._stop_button = icon_button("stop", "Stop", stop).classes("stop primary")
        ui.on("course_send", self._received)
        self._editing.set_visibility(False)
        self.show_writing(False)

    def show_writing(self, writing: bool) -> None:
        """While an answer is being written the button stops it."""
        if self._stop_button.visible != writing or self._send_button.visible == writing:
            self._stop_button.set_visibility(writing)
            self._send_button.set_visibility(not writing)

    def show_editing(self, text: str) -> None:
        """Say what sending will do instead of adding a message; nothing if `text` is empty."""
        self._editing_label.text = text
        self._editing.set_visibility(bool(text))

    def put(self, text: str) -> None:
        """Replace the text, and let the user go on with it."""
        ui.run_javascript(f"courseUi.put({json.dumps(text)})")

    def accepted(self, text: str) -> None:
        """The text is stored: take it away, unless the user has typed on."""
        ui.run_javascript(f"courseUi.accepted({json.dumps(text)})")

    def focus(self) -> None:
        """Put the cursor into the field."""
        ui.run_javascript("courseUi.focus()")

    async def _received(self, event: Any) -> None:
        await self._send(str(event.args))
