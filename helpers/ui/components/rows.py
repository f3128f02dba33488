"""A list of named rows, each with words and buttons, that is shown again and again as an engine tells it.

A row about which nothing has changed keeps its elements. If all were made anew, a button could go away between the
press of the mouse and its release, and the click would do nothing; who walks by keyboard would lose the place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from helpers.ui.components.dialogs import icon_button


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a row: what it is called, what it does, and its icon; without one it shows its name."""

    title: str
    on_click: Callable[[], Any]
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A name, words about it, and what can be done with it."""

    name: str
    words: str
    actions: tuple[Action, ...] = ()


class _RowView:
    """One row on the page, built into the container that is open."""

    def __init__(self, row: Row) -> None:
        self.titles = [action.title for action in row.actions]
        with ui.element("div").classes("row-item") as self.element:
            with ui.element("div").classes("row-main"):
                ui.label(row.name).classes("row-title")
                self.words = ui.label(row.words).classes("quiet")
            for action in row.actions:
                if action.icon:
                    icon_button(action.icon, action.title, action.on_click)
                else:
                    ui.button(action.title, on_click=action.on_click).props("flat dense no-caps")


class Rows:
    """All rows, in their order; `nothing` is said where there is none.

    What a row's buttons do must depend on its name and their titles only: a row that stays keeps its buttons.
    """

    def __init__(self, classes: str, nothing: str) -> None:
        self._views: dict[str, _RowView] = {}
        self._area = ui.element("div").classes(f"rows {classes}")
        with self._area:
            self._nothing = ui.label(nothing).classes("quiet")

    def show(self, rows: list[Row]) -> None:
        """Show these rows, by difference to those that are shown."""
        wanted = {row.name: row for row in rows}
        for name, view in list(self._views.items()):
            if name not in wanted or view.titles != [action.title for action in wanted[name].actions]:
                self._views.pop(name).element.delete()
        for index, row in enumerate(wanted.values()):
            if row.name not in self._views:
                with self._area:
                    self._views[row.name] = _RowView(row)
            view = self._views[row.name]
            view.words.text = row.words
            if self._area.default_slot.children[index] is not view.element:
                view.element.move(target_index=index)
        self._nothing.set_visibility(not wanted)
