"""Small dialogs: ask for a text, ask for a yes, show something to read."""

from collections.abc import Sequence
from typing import cast

from nicegui import ui


async def ask_text(title: str, value: str, action: str) -> str | None:
    """Ask for a line of text; None if the user thought better of it."""
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(title).classes("dialog-title")
        field = ui.input(value=value).props("outlined dense autofocus").classes("wide dialog-input")
        field.on("keydown.enter", lambda: dialog.submit(field.value))
        with ui.row().classes("dialog-actions"):
            ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat no-caps")
            ui.button(action, on_click=lambda: dialog.submit(field.value)).props("unelevated no-caps")
    answer = cast("str | None", await dialog)
    dialog.delete()
    return answer.strip() if answer and answer.strip() else None


async def confirm(title: str, text: str, action: str) -> bool:
    """Ask before something that cannot be undone."""
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(title).classes("dialog-title")
        ui.label(text)
        with ui.row().classes("dialog-actions"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps autofocus")
            ui.button(action, on_click=lambda: dialog.submit(True)).props("unelevated no-caps color=negative")
    answer = bool(await dialog)
    dialog.delete()
    return answer


def show_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Show names and what they mean."""
    with ui.dialog() as dialog, ui.card().classes("dialog"):
        ui.label(title).classes("dialog-title")
        with ui.element("dl").classes("keys"):
            for name, meaning in rows:
                with ui.element("dt"):
                    ui.label(name)
                with ui.element("dd"):
                    ui.label(meaning)
        with ui.row().classes("dialog-actions"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


def icon_button(icon: str, title: str, on_click: object) -> ui.button:
    """A small button with a picture; its title is its name for screen readers too."""
    button = ui.button(icon=icon, on_click=on_click)  # type: ignore[arg-type] # any of NiceGUI's handlers
    # Not written into a line of props: a title may hold a model's name, and that may hold anything.
    button.props["aria-label"] = button.props["title"] = title
    return button.props("flat round dense color=none").classes("icon-button")
