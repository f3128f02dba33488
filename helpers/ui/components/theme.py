"""Light or dark: as the system is, until someone chooses; the choice is a cookie, so that no page flashes."""

from nicegui import ui
from starlette.requests import Request

COOKIE = "course_theme"
CHOICES = {"light": False, "dark": True}
ICONS = {"light": "light_mode", "dark": "dark_mode", "system": "brightness_auto"}
NEXT = {"system": "light", "light": "dark", "dark": "system"}


def apply_theme(request: Request) -> None:
    """Build the page in the chosen theme; `theme_button` changes it."""
    name = request.cookies.get(COOKIE, "system")
    ui.context.client.storage["theme"] = name if name in ICONS else "system"
    ui.context.client.storage["dark mode"] = ui.dark_mode(CHOICES.get(name))
    ui.colors(primary="#4f6bed", dark="#16181d", dark_page="#16181d")


def theme_button() -> None:
    """A button that goes from system to light to dark."""
    kept = ui.context.client.storage

    def change() -> None:
        name = kept["theme"] = NEXT[kept["theme"]]
        kept["dark mode"].value = CHOICES.get(name)
        ui.run_javascript(f"document.cookie = '{COOKIE}={name}; path=/; max-age=31536000; samesite=strict'")
        show()

    def show() -> None:
        button.props(f'icon={ICONS[kept["theme"]]} aria-label="Theme: {kept["theme"]}" title="Theme: {kept["theme"]}"')

    button = ui.button(on_click=change).props("flat round dense color=none").classes("icon-button theme-button")
    show()
