"""The rows of the list of conversations: built once, and then only what has changed of them is sent to the page."""

from collections.abc import Awaitable, Callable, Sequence
from time import localtime, strftime

from nicegui import ui

from helpers.ui.components.dialogs import icon_button
from helpers.ui.records import Conversation

Action = Callable[[Conversation], Awaitable[None]]


class ConversationRow:
    """A title that opens its conversation, and a menu, built into the container that is open.

    Attributes:
        conversation: as it was shown last.
    """

    def __init__(self, conversation: Conversation, open: Action, menu: Sequence[tuple[str, Action]]) -> None:
        self.conversation = conversation
        self._menu = menu
        with ui.element("div").classes("conversation") as self.element:
            self._link = ui.element("button").classes("conversation-title").props("type=button")
            with self._link:
                self._title = ui.label(conversation.title)
            self._link.on("click", lambda: open(self.conversation))
            self._more = icon_button("more_horiz", "Rename, export, delete", None)
            self._more.on("click", self._add_menu)

    def show(self, conversation: Conversation, current: bool) -> None:
        """Show it as it is now; `current` is the one that is open."""
        self.conversation = conversation
        at = strftime("%d %b %Y, %H:%M", localtime(conversation.updated_at))
        # Each of these sends the row to the page anew, changed or not.
        if self._title.text != conversation.title:
            self._title.text = conversation.title
        if self._link.props.get("title") != at:
            self._link.props["title"] = at
        if ("current" in self.element.classes) != current:
            self.element.classes(add="current" if current else "", remove="" if current else "current")

    def _add_menu(self) -> None:
        """The menu is built at the first click, as most are never opened; later clicks are the menu's own."""
        if any(isinstance(child, ui.menu) for child in self._more.default_slot.children):
            return
        with self._more, ui.menu().props("auto-close") as menu:
            for title, action in self._menu:
                ui.menu_item(title, on_click=lambda action=action: action(self.conversation))
        menu.open()


class ConversationList:
    """The rows in the order of their conversations.

    Args:
        open: what a click on a title does.
        menu: what can be done with a conversation, by name.
    """

    def __init__(self, open: Action, menu: Sequence[tuple[str, Action]]) -> None:
        self._open = open
        self._menu = menu
        self._rows: dict[str, ConversationRow] = {}
        with ui.element("nav").classes("conversations").props('aria-label="Conversations"') as self.element:
            self._nothing = ui.label("").classes("quiet")
            self._column = ui.element("div")

    def show(self, conversations: Sequence[Conversation], current: str, nothing: str) -> None:
        """Show these; `nothing` is said where there are none."""
        ids = {conversation.id for conversation in conversations}
        for gone in [number for number in self._rows if number not in ids]:
            self._rows.pop(gone).element.delete()
        for place, conversation in enumerate(conversations):
            row = self._rows.get(conversation.id)
            if row is None:
                with self._column:
                    row = self._rows[conversation.id] = ConversationRow(conversation, self._open, self._menu)
            if self._column.default_slot.children[place] is not row.element:
                row.element.move(self._column, place)
            row.show(conversation, conversation.id == current)
        self._nothing.text = "" if conversations else nothing
        self._nothing.set_visibility(not conversations)
