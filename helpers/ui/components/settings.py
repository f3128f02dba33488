"""How to ask: system prompt, sampling parameters, presets."""

import asyncio
from dataclasses import replace
from typing import Any

from nicegui import ui

from helpers.ui.components.dialogs import ask_text, icon_button
from helpers.ui.records import BUILT_IN, OPTIONS, Conversation, Preset
from helpers.ui.session import Session

HELP = {
    "temperature": "0 always takes the likeliest token",
    "top_p": "how much of the likeliest to choose from",
    "max_tokens": "where an answer is cut",
    "seed": "same seed, same answer, if it can",
}


async def edit_settings(session: Session, conversation: Conversation) -> Conversation | None:
    """Let the user change how a conversation's model is asked; None if nothing is to change."""
    owner, store = session.owner, session.hub.store
    own = await asyncio.to_thread(store.list_presets, owner)
    presets = {preset.name: preset for preset in (*BUILT_IN, *own)}

    with ui.dialog() as dialog, ui.card().classes("dialog settings"):
        ui.label("How to ask").classes("dialog-title")
        with ui.element("div").classes("preset-row"):
            choice = (
                ui.select([*presets], label="Preset", clearable=True).props("outlined dense").classes("wide preset")
            )
            icon_button("bookmark_add", "Save as preset", lambda: save())
            icon_button("delete", "Delete this preset", lambda: remove())
        system = (
            ui.textarea("System prompt", value=conversation.system).props("outlined autogrow").classes("wide system")
        )
        fields: dict[str, ui.number] = {}
        with ui.element("div").classes("options"):
            for name, (kind, _, _) in OPTIONS.items():
                # Without bounds: NiceGUI would quietly put the nearest one in the place of what was typed.
                field = ui.number(name, value=conversation.options.get(name))
                field.props(f'outlined dense clearable placeholder="engine\'s own" hint="{HELP[name]}" stack-label')
                field.props("step=1" if kind is int else "step=0.05").classes(f"option-{name}")
                fields[name] = field
        problem = ui.label("").classes("error").props("role=alert")
        problem.set_visibility(False)
        with ui.row().classes("dialog-actions"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps")
            ui.button("Apply", on_click=lambda: finish()).props("unelevated no-caps")

    def options() -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for name, field in fields.items():
            kind, least, most = OPTIONS[name]
            if field.value is None or field.value == "":
                continue
            value = kind(field.value)
            if value != field.value or not least <= value <= most:
                problem.text = f"{name} must be a {'whole ' if kind is int else ''}number from {least:g} to {most:g}."
                problem.set_visibility(True)
                return None
            found[name] = value
        return found

    def take() -> None:
        preset = presets.get(choice.value or "")
        if preset is not None:
            system.value = preset.system
            for name, field in fields.items():
                field.value = preset.options.get(name)

    async def save() -> None:
        found = options()
        if found is None:
            return
        with dialog:
            name = await ask_text("Name of the preset", choice.value or "", "Save")
        if name in {preset.name for preset in BUILT_IN}:
            ui.notify(f"{name} is the name of a preset that is always there: choose another.")
        elif name:
            preset = presets[name] = Preset(name, system.value or "", found, "")
            await asyncio.to_thread(store.save_preset, owner, preset)
            choice.set_options([*presets], value=name)
            ui.notify(f"Preset {name} is saved.")

    async def remove() -> None:
        name = choice.value or ""
        if name in {preset.name for preset in BUILT_IN} or name not in presets:
            ui.notify("Choose a preset of your own first.")
            return
        await asyncio.to_thread(store.delete_preset, owner, name)
        del presets[name]
        choice.set_options([*presets], value=None)

    def finish() -> None:
        if options() is not None:
            dialog.submit(True)

    choice.on_value_change(take)
    changed = bool(await dialog)
    result = replace(conversation, system=system.value or "", options=options() or {}) if changed else None
    dialog.delete()
    return result
