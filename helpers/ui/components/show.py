"""What is known of a model: size, quantization, template, parameters, licence, Modelfile."""

from typing import Any

from nicegui import ui

from helpers.ui.session import Session

SECTIONS = (
    ("parameters", "Parameters"),
    ("system", "System prompt"),
    ("template", "Template"),
    ("license", "Licence"),
    ("modelfile", "Modelfile"),
)


async def show_model(session: Session, name: str) -> None:
    """Show a model in a dialog.

    Raises:
        GatewayError: refused.
    """
    shown: dict[str, Any] = await session.gateway.ask("POST", "/api/show", {"model": name})
    facts = (shown.get("details") or {}) | (shown.get("model_info") or {})
    with ui.context.client.content, ui.dialog() as dialog, ui.card().classes("dialog show-model"):
        ui.label(name).classes("dialog-title")
        if capabilities := shown.get("capabilities"):
            ui.label("Can do: " + ", ".join(map(str, capabilities))).classes("quiet")
        with ui.element("dl").classes("keys"):
            for key, value in facts.items():
                if isinstance(value, str | int | float) and value != "":
                    with ui.element("dt"):
                        ui.label(key.replace("_", " ").removeprefix("general."))
                    with ui.element("dd"):
                        ui.label(f"{value:,}" if isinstance(value, int) else str(value))
        for key, title in SECTIONS:
            if text := str(shown.get(key) or "").strip():
                with ui.expansion(title).classes("wide").props("dense"):
                    ui.label(text).classes("raw")
        with ui.row().classes("dialog-actions"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()
